//! Whose a reservation is: the cookie's, or the header's of a proxy; and nobody else's.

use crate::gateway::{Buyer, Gateway, sale};

fn units_of(redis: &crate::common::Redis, user: &str) -> i64 {
    let found: Vec<redis::Value> = redis.ask(&format!("FLASHSALE.USER shoes {user}"));
    match found[1] {
        redis::Value::Int(reserved) => reserved,
        _ => panic!("{found:?}"),
    }
}

#[test]
fn a_browser_is_the_user_of_its_cookie() {
    let redis = sale("STOCK 5");
    let gateway = Gateway::start(&redis.url(), &[]);
    let page = Buyer::nobody(&gateway).get("/");
    let cookie = page.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "{cookie}");
    let proxied = Buyer::nobody(&gateway)
        .with("x-forwarded-proto", "https")
        .get("/");
    let secure = proxied.header("set-cookie").expect("a cookie");
    assert!(secure.starts_with("__Host-flashsale_user="), "{secure}");
    assert!(secure.contains("Secure"), "{secure}");
    let value = cookie.split(';').next().expect("a value");
    let ann = Buyer::nobody(&gateway).with("cookie", value);
    assert_eq!(ann.get("/").header("set-cookie"), None);
    assert_eq!(ann.reserve("a1", r#"{"default": 2}"#).status, 201);
    let name = value.split('=').nth(1).expect("a name");
    assert_eq!(units_of(&redis, name), 2);
    // Nobody without a cookie gets one with the answer: if that is lost, so is the user.
    let nobody = Buyer::nobody(&gateway);
    for reply in [
        nobody.reserve("b1", r#"{"default": 1}"#),
        nobody.get("/reservations/a1"),
        nobody.delete("/reservations/a1"),
        nobody.pay("a1", "p"),
    ] {
        assert_eq!((reply.status, reply.answer()), (400, "NOUSER"));
        assert_eq!(reply.header("set-cookie"), None);
    }
    let two = ann.with("cookie", "flashsale_user=00112233445566778899aabbccddeeff");
    let reply = two.get("/reservations/a1");
    assert_eq!((reply.status, reply.answer()), (400, "NOUSER"));
    // Without a proxy that sets it, the header is worth nothing.
    let claimed = ann.with("x-user", "bob").reserve("a2", r#"{"default": 1}"#);
    assert_eq!(claimed.status, 201);
    assert_eq!((units_of(&redis, name), units_of(&redis, "bob")), (3, 0));
}

#[test]
fn the_header_of_a_proxy_names_the_user() {
    let redis = sale("STOCK 5");
    let gateway = Gateway::start(&redis.url(), &["--user-header", "X-User"]);
    let nobody = Buyer::nobody(&gateway);
    assert_eq!(nobody.get("/").header("set-cookie"), None);
    let ann = nobody.with("x-user", "ann");
    assert_eq!(ann.reserve("a1", r#"{"default": 2}"#).status, 201);
    assert_eq!(units_of(&redis, "ann"), 2);
    let cookie = "flashsale_user=00112233445566778899aabbccddeeff";
    let only_cookie = nobody.with("cookie", cookie);
    assert_eq!(
        only_cookie.reserve("b1", r#"{"default": 1}"#).answer(),
        "NOUSER"
    );
    let two = ann.with("x-user", "bob");
    assert_eq!(two.reserve("b1", r#"{"default": 1}"#).answer(), "NOUSER");
}

#[test]
fn what_another_user_has_is_not_there() {
    let redis = sale("STOCK 5");
    let gateway = Gateway::start(&redis.url(), &[]);
    let (ann, bob) = (Buyer::new(&gateway), Buyer::new(&gateway));
    assert_eq!(ann.reserve("a1", r#"{"default": 1}"#).status, 201);
    let theirs = bob.get("/reservations/a1");
    let unknown = bob.get("/reservations/a2");
    assert_eq!((theirs.status, unknown.status), (404, 404));
    // Not even that it exists can be told.
    assert_eq!(theirs.text.replace("a1", "a2"), unknown.text);
    assert_eq!(bob.pay("a1", "p").status, 404);
    assert_eq!(bob.delete("/reservations/a1").status, 404);
    assert_eq!(bob.reserve("a1", r#"{"default": 1}"#).status, 422);
    let mine = ann.get("/reservations/a1");
    assert_eq!(
        (mine.status, &mine.body["state"]),
        (200, &"reserved".into())
    );
    assert!(mine.body.get("user").is_none(), "{mine:?}");
    assert_eq!(ann.pay("a1", "p").answer(), "SOLD");
    let sold = ann.get("/reservations/a1");
    assert_eq!(
        (&sold.body["state"], &sold.body["ref"]),
        (&"sold".into(), &"p".into())
    );
    assert_eq!(bob.get("/reservations/a1").status, 404);
}

/// A name in the body changes nothing: it is refused.
#[test]
fn a_body_names_no_user() {
    let redis = sale("STOCK 5");
    let gateway = Gateway::start(&redis.url(), &[]);
    let ann = Buyer::new(&gateway).with("idempotency-key", "a1");
    let body = r#"{"items": {"default": 1}, "user": "bob"}"#;
    let reply = ann.post("/reservations", body);
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(units_of(&redis, "bob"), 0);
}
