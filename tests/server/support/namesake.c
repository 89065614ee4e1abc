/* A module that is not ours: it has the commands it is loaded with the names of, and
 * answers "theirs" to each.
 *
 * What it needs of the server's API is asked for by name, as every module does; it is
 * declared here, so that no header of a server has to be there. */
#include <stddef.h>

typedef struct Context Context;
typedef struct String String;
typedef int Command(Context *, String **, int);

static int (*reply)(Context *, const char *);

static int answer(Context *context, String **words, int count) {
  (void)words;
  (void)count;
  return reply(context, "theirs");
}

int RedisModule_OnLoad(Context *context, String **names, int count) {
  /* The server puts its look-up function first into the context of a load. */
  int (*find)(const char *, void *) = *(int (**)(const char *, void *))context;
  void (*introduce)(Context *, const char *, int, int);
  const char *(*text)(const String *, size_t *);
  int (*create)(Context *, const char *, Command *, const char *, int, int, int);
  if (find("RedisModule_SetModuleAttribs", &introduce) ||
      find("RedisModule_StringPtrLen", &text) ||
      find("RedisModule_CreateCommand", &create) ||
      find("RedisModule_ReplyWithSimpleString", &reply))
    return 1;
  introduce(context, "namesake", 1, 1);
  for (int at = 0; at < count; at++)
    if (create(context, text(names[at], NULL), answer, "readonly", 0, 0, 0)) return 1;
  return 0;
}
