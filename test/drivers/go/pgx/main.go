// pgx v5: all query modes, binary types, batches, COPY, large reads, notifications, errors, cancellation.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

func show(label string, values ...any) {
	fmt.Printf("%s: %#v\n", label, values)
}

func must[T any](value T, err error) T {
	if err != nil {
		show("unexpected", err.Error())
		os.Exit(1)
	}
	return value
}

func fault(label string, err error) {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		show(label, pgErr.Severity, pgErr.Code, pgErr.Message, pgErr.Detail, pgErr.Hint, pgErr.Position, pgErr.TableName, pgErr.ConstraintName)
		return
	}
	show(label, fmt.Sprint(err != nil))
}

func main() {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	config := must(pgx.ParseConfig(""))
	var notices []string
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Severity+" "+n.Message) }
	c := must(pgx.ConnectConfig(ctx, config))
	must(c.Exec(ctx, "drop schema if exists gox cascade"))
	must(c.Exec(ctx, "create schema gox; set search_path = gox; create table t (id int primary key, name text, n numeric, at timestamptz, doc jsonb, raw bytea, list int4[], ok bool)"))
	when := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for i, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		tag := must(c.Exec(ctx, "insert into t values ($1, $2, $3, $4, $5, $6, $7, $8)", mode, i, "it's é", pgtype.Numeric{Int: nil, Valid: false}, when, `{"a": 1}`, []byte{0, 255}, []int32{1, 2}, true))
		show("inserted", tag.String())
		rows := must(c.Query(ctx, "select id, name, doc::text, raw, list, ok, at from t where id = $1", mode, i))
		for rows.Next() {
			values := must(rows.Values())
			values[6] = values[6].(time.Time).UTC().Format(time.RFC3339)
			show("row", values...)
		}
		if rows.Err() != nil {
			fault("rows", rows.Err())
		}
	}
	batch := &pgx.Batch{}
	for i := 100; i < 150; i++ {
		batch.Queue("insert into t (id, name) values ($1, $2)", i, fmt.Sprint("n", i))
	}
	batch.Queue("select count(*) from t")
	results := c.SendBatch(ctx, batch)
	for i := 0; i < 50; i++ {
		must(results.Exec())
	}
	var count int
	if err := results.QueryRow().Scan(&count); err != nil {
		fault("batch", err)
	}
	show("batch", count, results.Close() == nil)
	bad := &pgx.Batch{}
	bad.Queue("insert into t (id) values (500)")
	bad.Queue("insert into t (id) values (500)")
	bad.Queue("insert into t (id) values (501)")
	fault("bad batch", c.SendBatch(ctx, bad).Close())
	_ = c.QueryRow(ctx, "select count(*) from t where id >= 500").Scan(&count)
	show("after bad batch", count)
	var source [][]any
	for i := 1000; i < 6000; i++ {
		source = append(source, []any{int32(i), strings.Repeat("x", i%40)})
	}
	show("copied in", must(c.CopyFrom(ctx, pgx.Identifier{"gox", "t"}, []string{"id", "name"}, pgx.CopyFromRows(source))))
	var out strings.Builder
	show("copied out", must(c.PgConn().CopyTo(ctx, &out, "copy (select id, name from t where id between 1000 and 1004 order by id) to stdout")).String(), out.String())
	_, err := c.PgConn().CopyFrom(ctx, strings.NewReader("7000\tx\nnonsense\n"), "copy t (id, name) from stdin")
	fault("bad copy", err)
	for _, text := range []string{"select 1/0", "selec 1", "select nope from t", "select * from nowhere", "insert into t (id) values (1)", "drop table missing"} {
		_, err := c.Exec(ctx, text)
		fault("error", err)
		_, err = c.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
		fault("error", err)
	}
	sum := 0
	rows := must(c.Query(ctx, "select generate_series(1, $1)", 20000))
	for rows.Next() {
		var n int
		_ = rows.Scan(&n)
		sum += n
	}
	show("sum", sum, rows.CommandTag().String())
	rows = must(c.Query(ctx, "select generate_series(1, $1)", 100000))
	rows.Next()
	rows.Close()
	show("closed early", rows.Err() == nil)
	tx := must(c.Begin(ctx))
	must(tx.Exec(ctx, "insert into t (id) values (9000)"))
	inner := must(tx.Begin(ctx))
	_, err = inner.Exec(ctx, "insert into t (id) values (9000)")
	fault("inner", err)
	show("undone", inner.Rollback(ctx) == nil, string(c.PgConn().TxStatus()), tx.Commit(ctx) == nil)
	must(c.Exec(ctx, "do $$ begin raise notice 'said'; end $$"))
	show("notices", notices[len(notices)-1])
	must(c.Exec(ctx, "listen news"))
	must(c.Exec(ctx, "notify news, 'payload'"))
	notification := must(c.WaitForNotification(ctx))
	show("heard", notification.Channel, notification.Payload)
	go func() {
		time.Sleep(300 * time.Millisecond)
		_ = c.PgConn().CancelRequest(ctx)
	}()
	_, err = c.Exec(ctx, "select pg_sleep(20)")
	fault("cancelled", err)
	pipeline := c.PgConn().StartPipeline(ctx)
	for i := 0; i < 3; i++ {
		pipeline.SendQueryParams("select $1::int", [][]byte{[]byte(fmt.Sprint(i))}, nil, nil, nil)
	}
	pipeline.SendQueryParams("select 1/0", nil, nil, nil, nil)
	pipeline.SendQueryParams("select 5", nil, nil, nil, nil)
	_ = pipeline.Sync()
	for i := 0; i < 6; i++ {
		result, err := pipeline.GetResults()
		if err != nil {
			fault("pipeline", err)
			continue
		}
		if reader, ok := result.(*pgconn.ResultReader); ok {
			read := reader.Read()
			for _, row := range read.Rows {
				show("pipeline", string(row[0]))
			}
			if read.Err != nil {
				fault("pipeline", read.Err)
			}
		} else {
			show("pipeline", fmt.Sprintf("%T", result))
		}
	}
	show("pipeline closed", pipeline.Close() == nil)
	var large string
	_ = c.QueryRow(ctx, "select $1::text || $1", strings.Repeat("y", 3_000_000)).Scan(&large)
	show("large", len(large))
	must(c.Exec(ctx, "alter table t add column late int default 3"))
	var id, late int
	err = c.QueryRow(ctx, "select id, late from t where id = $1", 100).Scan(&id, &late)
	show("altered", id, late, err == nil)
	pool := must(pgxpool.New(ctx, "pool_max_conns=4"))
	done := make(chan int)
	for i := 0; i < 40; i++ {
		go func() {
			var n int
			_ = pool.QueryRow(ctx, "select $1::int", i).Scan(&n)
			done <- n
		}()
	}
	sum = 0
	for i := 0; i < 40; i++ {
		sum += <-done
	}
	pool.Close()
	show("pool", sum)
	must(c.Exec(ctx, "drop schema gox cascade"))
	_ = c.Close(ctx)
}
