//! Ways to an endpoint: redirects, sockets of this host, proxies, bare connections, names.

use crate::{LONG, ask, assert_healthy, assert_unhealthy, assert_unknown, run, server::*, spec};
use dixmgr_contract::{CheckResult, CheckState, Span};
use dixmgr_decide::check::Budget;
use dixmgr_probe::{
    CheckSpec, Endpoint, Prober,
    check::{Address, Ask, HttpAsk},
};
use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixListener},
};

const SECRETS: [(&str, &str); 3] = [("Authorization", "Bearer hush-1"), ("Cookie", "hush-2"), ("X-Key", "hush-3")];

fn with_secrets(url: &str) -> HttpAsk {
    let mut ask = HttpAsk { redirects: 3, ..ask(url) };
    for (name, value) in SECRETS {
        ask.header(name, value).unwrap();
    }
    ask
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_allowed() {
    let server = Server::start(|number, _| match number % 3 {
        0 => http("302 Found", "Location: /one\r\n", ""),
        1 => http("308 Permanent Redirect", "Location: two?x\r\n", ""),
        _ => ok("fine"),
    })
    .await;
    let result = run(with_secrets(&server.url("/"))).await;
    assert_healthy(&result);
    assert_eq!(result.status, Some(200));
    let paths: Vec<_> = server.asked().iter().map(|asked| asked.lines().next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["GET / HTTP/1.1", "GET /one HTTP/1.1", "GET /two?x HTTP/1.1"]);
    assert!(server.asked().iter().all(|asked| asked.contains("hush-1") && asked.contains("hush-3")));
    assert_eq!(server.connections(), 1);
    assert_unhealthy(&run(ask(&server.url("/"))).await, "HTTP 302");
}

#[tokio::test]
async fn a_redirect_to_another_host_carries_no_secret() {
    let other = Server::start(|_, _| ok("fine")).await;
    let location = format!("Location: {}\r\n", other.url("/else"));
    let server = Server::start(move |_, _| http("307 Elsewhere", &location, "")).await;
    let mut ask = with_secrets(&format!("http://user:hush-4@127.0.0.1:{}/", server.port));
    assert_healthy(&run(ask.clone()).await);
    let asked = &other.asked()[0];
    assert!(asked.starts_with("GET /else HTTP/1.1\r\n") && !asked.contains("hush"), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
    // Nor a body.
    (ask.method, ask.body) = (http::Method::POST, "hush-5".into());
    assert_unhealthy(&run(ask).await, "HTTP 307");
    assert_eq!(other.asked().len(), 1);
}

#[tokio::test]
async fn a_socket_of_this_host_is_asked() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("check-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 2_048];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine").await.unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let on_socket = HttpAsk { unix: Some(path.clone()), ..ask("http://docker/info") };
    let result = run(on_socket.clone()).await;
    assert_healthy(&result);
    assert_eq!(result.body, "fine");
    let asked = serving.await.unwrap();
    assert!(asked.starts_with("GET /info HTTP/1.1\r\nhost: docker\r\n"), "{asked}");
    assert_unhealthy(&run(on_socket.clone()).await, "cannot connect to the unix socket: Connection refused");
    std::fs::remove_file(&path).unwrap();
    assert_unhealthy(&run(on_socket).await, "cannot connect to the unix socket: No such file");
}

#[tokio::test]
async fn a_proxy_is_asked_to_fetch_and_learns_what_it_needs() {
    let proxy = Server::start(|_, _| ok("fetched")).await;
    let through = Endpoint::parse(&format!("http://me:hush@127.0.0.1:{}", proxy.port)).unwrap();
    let ask = HttpAsk { proxy: Some(through), ..ask("http://u:p@nowhere.invalid:81/a?b") };
    let result = run(ask).await;
    assert_healthy(&result);
    assert_eq!(result.body, "fetched");
    let asked = &proxy.asked()[0];
    assert!(asked.starts_with("GET http://nowhere.invalid:81/a?b HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("proxy-authorization: Basic bWU6aHVzaA=="), "{asked}");
    assert!(asked.contains("host: nowhere.invalid:81\r\n"), "{asked}");
}

#[tokio::test]
async fn a_proxy_makes_a_tunnel_for_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind_port = behind.local_addr().unwrap().port();
    let tunnelling = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 2_048];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 Go\r\nX: y\r\n\r\n").await.unwrap();
        let mut to = TcpStream::connect(("127.0.0.1", behind_port)).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut to).await;
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let hearing = tokio::spawn(async move {
        let (mut stream, _) = behind.accept().await.unwrap();
        stream.read_u8().await.unwrap()
    });
    let proxy = Some(Endpoint::parse(&format!("http://127.0.0.1:{port}")).unwrap());
    let result = run(HttpAsk { proxy: proxy.clone(), ..ask("https://nowhere.invalid/") }).await;
    assert_eq!(result.state, CheckState::Unhealthy);
    // A handshake of TLS begins with 22.
    assert_eq!(hearing.await.unwrap(), 22);
    assert!(tunnelling.await.unwrap().starts_with("CONNECT nowhere.invalid:443 HTTP/1.1\r\n"));
    let gone = run(HttpAsk { proxy, ..ask("https://nowhere.invalid/") }).await;
    assert_unknown(&gone, "the proxy: cannot connect to 127.0.0.1");
}

#[tokio::test]
async fn a_proxy_that_does_not_do_its_work_says_nothing_of_the_endpoint() {
    let endless = vec![Act::Repeat(b"x".to_vec(), std::time::Duration::ZERO)];
    for (answer, why) in [
        (http("407 Who are you", "", ""), "the proxy: it answered HTTP 407"),
        (bytes("SSH-2.0\r\n\r\n"), "the proxy: it does not speak HTTP"),
        (endless, "the proxy: its answer is too long"),
        (vec![Act::Close], "the proxy: "),
    ] {
        let server = Server::start(move |_, _| answer.clone()).await;
        assert_unknown(&tunnelled(&server).await, why);
    }
    for status in ["502 Bad Gateway", "503 Not Now", "504 Too Late"] {
        let server = Server::start(move |_, _| http(status, "", "")).await;
        let why = format!("the proxy cannot reach it: it answered HTTP {}", &status[..3]);
        assert_unhealthy(&tunnelled(&server).await, &why);
    }
}

async fn tunnelled(proxy: &Server) -> CheckResult {
    let proxy = Some(Endpoint::parse(&proxy.url("")).unwrap());
    run(HttpAsk { proxy, ..ask("https://nowhere.invalid/") }).await
}

async fn tcp(prober: &Prober, host: &str, port: u16) -> CheckResult {
    let address = Address { host: host.into(), port };
    prober.once(CheckSpec { ask: Ask::Tcp { address, tls: None, budget: Budget::default() }, timeout: LONG }).await
}

#[tokio::test]
async fn a_port_that_listens_is_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let prober = Prober::new();
    assert_healthy(&tcp(&prober, "127.0.0.1", port).await);
    assert_healthy(&tcp(&prober, "localhost", port).await);
    drop(listener);
    assert_unhealthy(&tcp(&prober, "127.0.0.1", port).await, "Connection refused");
    let address = Address { host: "127.0.0.1".into(), port };
    let budget = Budget { latency: Some(Span::ZERO), ..Budget::default() };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let slow = prober.once(CheckSpec { ask: Ask::Tcp { address, tls: None, budget }, timeout: LONG }).await;
    assert_eq!(slow.state, CheckState::Degraded, "{}", slow.reason);
    drop(listener);
}

#[tokio::test]
async fn the_next_address_is_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let two = Prober::with_lookup(|_| Ok(vec!["127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()]));
    assert_healthy(&tcp(&two, "name.example", port).await);
}

#[tokio::test]
async fn a_resolver_that_hangs_later_harms_no_endpoint() {
    let server = Server::start(|_, _| ok("fine")).await;
    let (shut, gate) = mpsc::channel::<()>();
    let (gate, asked) = (Mutex::new(gate), AtomicUsize::new(0));
    let prober = Prober::with_lookup(move |_| {
        let _opened = (asked.fetch_add(1, Ordering::SeqCst) > 0).then(|| gate.lock().unwrap().recv());
        Ok(vec!["127.0.0.1".parse().unwrap()])
    });
    let url = format!("http://name.example:{}/", server.port);
    let mut check = prober.check(spec(HttpAsk { keep_alive: false, ..ask(&url) }, LONG));
    for _ in 0..2 {
        let result = check.run().await;
        assert_healthy(&result);
        assert!(result.duration < Span::from(LONG / 4), "{}", result.duration);
        assert_healthy(&tcp(&prober, "name.example", server.port).await);
    }
    drop(shut);
}

#[tokio::test]
async fn a_name_resolves_to_what_is_expected() {
    let prober = Prober::with_lookup(|name| match name {
        "good.example" => Ok(vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]),
        "hurt.example" => {
            Err(std::io::Error::other("failed to lookup address information: Temporary failure in name resolution"))
        }
        _ => Err(std::io::Error::other("failed to lookup address information: Name or service not known")),
    });
    let dns = async |name: &str, expect: &[&str]| {
        let expect = expect.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect();
        let ask = Ask::Dns { name: name.into(), expect, budget: Budget::default() };
        prober.once(CheckSpec { ask, timeout: LONG }).await
    };
    assert_healthy(&dns("good.example", &[]).await);
    assert_healthy(&dns("good.example", &["2001:db8::1", "192.0.2.1"]).await);
    assert_unhealthy(&dns("good.example", &["192.0.2.2"]).await, "good.example does not resolve to 192.0.2.2");
    let bad = dns("bad.example", &[]).await;
    assert_unhealthy(&bad, "cannot resolve bad.example: Name or service not known");
    assert!(bad.answered && !dns("hurt.example", &[]).await.answered, "that there is no such name is an answer");
    assert_unhealthy(&dns("hurt.example", &[]).await, "Temporary failure");
    // Of an endpoint behind that name it says nothing.
    assert_unknown(&tcp(&prober, "hurt.example", 80).await, "Temporary failure");
    assert_unhealthy(&tcp(&prober, "bad.example", 80).await, "Name or service not known");
}
