// lib/pq through database/sql: prepared statements, transactions, COPY, listeners, errors.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lib/pq"
)

func show(label string, values ...any) { fmt.Printf("%s: %#v\n", label, values) }

func check(err error) {
	if err != nil {
		show("unexpected", err.Error())
		os.Exit(1)
	}
}

func fault(label string, err error) {
	var e *pq.Error
	if errors.As(err, &e) {
		show(label, e.Severity, string(e.Code), e.Message, e.Detail, e.Hint, e.Position, e.Table, e.Constraint)
		return
	}
	show(label, fmt.Sprint(err))
}

func main() {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	db, err := sql.Open("postgres", "sslmode=disable")
	check(err)
	db.SetMaxOpenConns(1)
	_, err = db.Exec("drop schema if exists gopq cascade; create schema gopq; create table gopq.t (id int primary key, name text, list int[], raw bytea)")
	check(err)
	_, err = db.Exec("insert into gopq.t values ($1, $2, $3, $4)", 1, "it's é", pq.Array([]int64{1, 2}), []byte{0, 255})
	check(err)
	rows, err := db.Query("select * from gopq.t")
	check(err)
	types, _ := rows.ColumnTypes()
	for _, t := range types {
		show("type", t.Name(), t.DatabaseTypeName())
	}
	for rows.Next() {
		var id int
		var name string
		var list []int64
		var raw []byte
		check(rows.Scan(&id, &name, pq.Array(&list), &raw))
		show("row", id, name, list, raw)
	}
	statement, err := db.Prepare("select $1::int + 1")
	check(err)
	for i := 0; i < 3; i++ {
		var n int
		check(statement.QueryRow(i).Scan(&n))
		show("prepared", n)
	}
	check(statement.Close())
	for _, text := range []string{"select 1/0", "selec 1", "select nope from gopq.t", "insert into gopq.t (id) values (1)", "table missing"} {
		_, err = db.Exec(text)
		fault("error", err)
	}
	_, err = db.Exec("select $1::int", "x")
	fault("error", err)
	tx, err := db.Begin()
	check(err)
	copying, err := tx.Prepare(pq.CopyInSchema("gopq", "t", "id", "name"))
	check(err)
	for i := 100; i < 2100; i++ {
		_, err = copying.Exec(i, fmt.Sprint("copied ", i))
		check(err)
	}
	_, err = copying.Exec()
	check(err)
	check(copying.Close())
	check(tx.Commit())
	var count, sum int
	check(db.QueryRow("select count(*), sum(id) from gopq.t").Scan(&count, &sum))
	show("copied", count, sum)
	several, err := db.Query("select 1; select 'two'")
	check(err)
	for {
		for several.Next() {
			var value string
			check(several.Scan(&value))
			show("several", value)
		}
		if !several.NextResultSet() {
			break
		}
	}
	serial, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
	check(err)
	_, err = serial.Exec("insert into gopq.t (id) values (9)")
	fault("read only", err)
	check(serial.Rollback())
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	_, err = db.ExecContext(short, "select pg_sleep(20)")
	cancel()
	fault("cancelled", err)
	listener := pq.NewListener("sslmode=disable", time.Second, time.Second, nil)
	check(listener.Listen("news"))
	_, err = db.Exec("select pg_notify('news', 'payload')")
	check(err)
	select {
	case n := <-listener.Notify:
		show("heard", n.Channel, n.Extra)
	case <-time.After(10 * time.Second):
		show("heard nothing")
	}
	_ = listener.Close()
	_, err = db.Exec("drop schema gopq cascade")
	check(err)
	check(db.Close())
}
