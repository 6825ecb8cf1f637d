// tokio-postgres: pipelined statements, portals, COPY, errors, cancellation.
use futures_util::{future::join_all, pin_mut, SinkExt, StreamExt, TryStreamExt};
use std::{env, time::Duration};
use tokio_postgres::{Client, Error, NoTls, SimpleQueryMessage};

fn fault(label: &str, error: Error) {
    match error.as_db_error() {
        Some(e) => println!("{label}: {:?}", (e.severity(), e.code().code(), e.message(), e.detail(), e.hint(), e.position(), e.constraint())),
        None => println!("{label}: {error}"),
    }
}

async fn run(client: &mut Client) -> Result<(), Error> {
    client.batch_execute("drop schema if exists rs cascade; create schema rs; create table rs.t (id int primary key, name text, raw bytea)").await?;
    let insert = client.prepare("insert into rs.t values ($1, $2, $3)").await?;
    let results = join_all((0..100).map(|i| { let insert = &insert; let client = &*client; async move { client.execute(insert, &[&i, &format!("n{i}"), &vec![0u8, i as u8]]).await } })).await;
    println!("pipelined: {}", results.into_iter().filter(|r| matches!(r, Ok(1))).count());
    for row in client.query("select id, name, raw from rs.t where id < $1 order by id", &[&3]).await? {
        println!("row: {:?}", (row.get::<_, i32>(0), row.get::<_, &str>(1), row.get::<_, &[u8]>(2)));
    }
    for text in ["select 1/0", "selec 1", "select nope from rs.t", "insert into rs.t (id) values (1)", "table missing"] {
        fault("error", client.execute(text, &[]).await.unwrap_err());
        fault("simple", client.simple_query(text).await.unwrap_err());
    }
    for message in client.simple_query("select 1; update rs.t set name = name; select 'two'").await? {
        match message {
            SimpleQueryMessage::Row(row) => println!("simple: {:?}", row.get(0)),
            SimpleQueryMessage::CommandComplete(n) => println!("complete: {n}"),
            _ => println!("described"),
        }
    }
    let transaction = client.transaction().await?;
    let statement = transaction.prepare("select id from rs.t order by id").await?;
    let portal = transaction.bind(&statement, &[]).await?;
    for size in [3, 10, 0] {
        println!("portal: {}", transaction.query_portal(&portal, size).await?.len());
    }
    transaction.rollback().await?;
    let sink = client.copy_in("copy rs.t (id, name) from stdin").await?;
    pin_mut!(sink);
    for i in 1000..3000 {
        sink.send(tokio_postgres_bytes(format!("{i}\tcopied\n"))).await?;
    }
    println!("copied in: {}", sink.finish().await?);
    let stream = client.copy_out("copy (select id, name from rs.t where id < 3 order by id) to stdout").await?;
    let chunks: Vec<_> = stream.try_collect().await?;
    println!("copied out: {:?}", chunks);
    let rows = client.query_raw("select generate_series(1, $1)", [20000i32]).await?;
    pin_mut!(rows);
    let mut sum = 0i64;
    while let Some(row) = rows.next().await {
        sum += i64::from(row?.get::<_, i32>(0));
    }
    println!("sum: {sum}");
    let token = client.cancel_token();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let _ = token.cancel_query(NoTls).await;
    });
    fault("cancelled", client.batch_execute("select pg_sleep(20)").await.unwrap_err());
    client.batch_execute("drop schema rs cascade").await
}

fn tokio_postgres_bytes(text: String) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(text.into_bytes())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let of = |name: &str| env::var(name).unwrap_or_default();
    let (mut client, connection) = tokio_postgres::Config::new()
        .host(of("PGHOST"))
        .port(of("PGPORT").parse().unwrap_or(5432))
        .user(of("PGUSER"))
        .password(of("PGPASSWORD"))
        .dbname(of("PGDATABASE"))
        .connect(NoTls)
        .await?;
    tokio::spawn(connection);
    run(&mut client).await
}
