/* A module that is not ours and hears every keyspace event: at the one it was told to
 * wait for, it deletes a key.
 *
 * LISTENER event key     waits for this event, and then deletes this key, once
 *
 * What it needs of the server's API is asked for by name, as every module does; it is
 * declared here, so that no header of a server has to be there. */
#include <stddef.h>
#include <string.h>

typedef struct Context Context;
typedef struct String String;
typedef struct Reply Reply;
typedef int Command(Context *, String **, int);
typedef int Listener(Context *, int, const char *, String *);

/* REDISMODULE_NOTIFY_*: all classes of Redis's own, and those of modules. */
enum { CLASSES = 0x7fc | 1 << 13 };

static int (*answer)(Context *, const char *);
static const char *(*text)(const String *, size_t *);
static Reply *(*call)(Context *, const char *, const char *, ...);
static void (*forget)(Reply *);

static char awaited[64], victim[64];

static int copy(char *to, const String *from) {
  size_t length;
  const char *bytes = text(from, &length);
  if (length >= sizeof awaited) return 0;
  memcpy(to, bytes, length);
  to[length] = 0;
  return 1;
}

static int wait_for(Context *context, String **words, int count) {
  if (count != 3 || !copy(victim, words[2]) || !copy(awaited, words[1]))
    return answer(context, "no");
  return answer(context, "OK");
}

static int hear(Context *context, int class, const char *event, String *key) {
  (void)class;
  (void)key;
  if (strcmp(event, awaited)) return 0;
  awaited[0] = 0;
  Reply *reply = call(context, "DEL", "c!", victim);
  if (reply) forget(reply);
  return 0;
}

int RedisModule_OnLoad(Context *context, String **words, int count) {
  (void)words;
  (void)count;
  /* The server puts its look-up function first into the context of a load. */
  int (*find)(const char *, void *) = *(int (**)(const char *, void *))context;
  void (*introduce)(Context *, const char *, int, int);
  int (*create)(Context *, const char *, Command *, const char *, int, int, int);
  int (*subscribe)(Context *, int, Listener *);
  if (find("RedisModule_SetModuleAttribs", &introduce) ||
      find("RedisModule_StringPtrLen", &text) ||
      find("RedisModule_CreateCommand", &create) ||
      find("RedisModule_SubscribeToKeyspaceEvents", &subscribe) ||
      find("RedisModule_Call", &call) || find("RedisModule_FreeCallReply", &forget) ||
      find("RedisModule_ReplyWithSimpleString", &answer))
    return 1;
  introduce(context, "listener", 1, 1);
  return create(context, "listener", wait_for, "", 0, 0, 0) ||
         subscribe(context, CLASSES, hear);
}
