// pgjdbc: query modes, server-side prepares, fetch sizes, batches, COPY, generated keys, metadata, notifications, errors, cancellation.
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Arrays;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public class Scenario {
  static void show(String label, Object... values) {
    System.out.println(label + ": " + Arrays.deepToString(values));
  }

  interface Work {
    void run() throws Exception;
  }

  static void fault(String label, Work work) throws Exception {
    try {
      work.run();
      show(label, "nothing");
    } catch (BatchUpdateException e) {
      show(label, Arrays.toString(e.getUpdateCounts()), e.getNextException().getMessage());
    } catch (PSQLException e) {
      ServerErrorMessage m = e.getServerErrorMessage();
      show(label, e.getSQLState(), e.getMessage(), m == null ? null : m.getPosition(), m == null ? null : m.getHint(), m == null ? null : m.getConstraint());
    }
  }

  public static void main(String[] args) throws Exception {
    for (String mode : new String[] {"extended", "extendedForPrepared", "extendedCacheEverything", "simple"}) run(mode);
  }

  static Connection connect(String mode) throws Exception {
    var env = System.getenv();
    Properties p = new Properties();
    p.setProperty("user", env.get("PGUSER"));
    p.setProperty("password", env.get("PGPASSWORD"));
    p.setProperty("preferQueryMode", mode);
    p.setProperty("prepareThreshold", "3");
    p.setProperty("binaryTransfer", "true");
    return DriverManager.getConnection("jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), p);
  }

  static void run(String mode) throws Exception {
    show("mode", mode);
    try (Connection c = connect(mode); Statement s = c.createStatement()) {
      s.execute("drop schema if exists jdbc cascade; create schema jdbc; set search_path = jdbc");
      s.execute("create table t (id serial primary key, name text unique, n numeric(10, 2), at timestamp, raw bytea, list int[], ok boolean)");
      try (PreparedStatement p = c.prepareStatement("insert into t (name, n, at, raw, list, ok) values (?, ?, ?, ?, ?, ?)", Statement.RETURN_GENERATED_KEYS)) {
        for (int i = 0; i < 8; i++) {
          p.setString(1, "it's " + i);
          p.setBigDecimal(2, new java.math.BigDecimal("1.25"));
          p.setTimestamp(3, Timestamp.valueOf("2024-02-29 12:00:00"));
          p.setBytes(4, new byte[] {0, (byte) i});
          p.setArray(5, c.createArrayOf("int4", new Integer[] {i, null}));
          p.setBoolean(6, i % 2 == 0);
          p.executeUpdate();
          try (ResultSet keys = p.getGeneratedKeys()) {
            keys.next();
            show("key", keys.getInt(1));
          }
        }
      }
      try (PreparedStatement p = c.prepareStatement("select * from t where id > ? order by id limit 2")) {
        for (int i = 0; i < 6; i++) {
          p.setInt(1, i);
          try (ResultSet r = p.executeQuery()) {
            while (r.next()) show("row", r.getInt("id"), r.getString("name"), r.getBigDecimal("n"), r.getTimestamp("at"), r.getBytes("raw"), r.getArray("list").toString(), r.getBoolean("ok"));
          }
        }
        ResultSetMetaData m = p.getMetaData();
        for (int i = 1; i <= m.getColumnCount(); i++) show("column", m.getColumnName(i), m.getColumnTypeName(i), m.getPrecision(i), m.isNullable(i), m.isAutoIncrement(i));
        show("parameter", p.getParameterMetaData().getParameterTypeName(1));
      }
      c.setAutoCommit(false);
      s.setFetchSize(50);
      long sum = 0;
      try (ResultSet r = s.executeQuery("select generate_series(1, 1000)")) {
        while (r.next()) sum += r.getInt(1);
      }
      show("fetched", sum);
      Savepoint point = c.setSavepoint("here");
      fault("unique", () -> s.execute("insert into t (name) values ('it''s 1')"));
      fault("aborted", () -> s.execute("select 1"));
      c.rollback(point);
      show("after", s.executeUpdate("update t set ok = true"));
      c.commit();
      c.setAutoCommit(true);
      try (PreparedStatement p = c.prepareStatement("insert into t (name) values (?)")) {
        for (int i = 100; i < 400; i++) {
          p.setString(1, "b" + i);
          p.addBatch();
        }
        show("batch", p.executeBatch().length);
        for (String name : new String[] {"new 1", "b100", "new 2"}) {
          p.setString(1, name);
          p.addBatch();
        }
        fault("bad batch", p::executeBatch);
      }
      CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
      show("copy in", copy.copyIn("copy t (name) from stdin with (format csv)", new StringReader("c1\n\"c,2\"\n")));
      StringWriter out = new StringWriter();
      show("copy out", copy.copyOut("copy (select name from t where name like 'c%' order by name) to stdout", out), out.toString());
      fault("bad copy", () -> copy.copyIn("copy t (id) from stdin", new StringReader("x\n")));
      for (String text : new String[] {"select 1/0", "selec 1", "select nope from t", "table missing", "select 'x'::int"}) fault("error", () -> s.execute(text));
      boolean more = s.execute("select 1; update t set ok = false; select 'two'");
      while (true) {
        if (more) {
          try (ResultSet r = s.getResultSet()) {
            while (r.next()) show("several", r.getString(1));
          }
        } else if (s.getUpdateCount() < 0) break;
        else show("several", s.getUpdateCount());
        more = s.getMoreResults();
      }
      try (ResultSet r = c.getMetaData().getColumns(null, "jdbc", "t", null)) {
        while (r.next()) show("meta", r.getString("COLUMN_NAME"), r.getString("TYPE_NAME"), r.getString("COLUMN_DEF"));
      }
      try (ResultSet r = c.getMetaData().getPrimaryKeys(null, "jdbc", "t")) {
        while (r.next()) show("pk", r.getString("COLUMN_NAME"));
      }
      s.execute("do $$ begin raise warning 'said'; end $$");
      show("warning", s.getWarnings().getMessage());
      s.execute("create function twice(n int) returns int language sql as 'select n * 2'");
      try (CallableStatement call = c.prepareCall("{? = call jdbc.twice(?)}")) {
        call.registerOutParameter(1, Types.INTEGER);
        call.setInt(2, 21);
        call.execute();
        show("called", call.getInt(1));
      }
      try (Statement scroll = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
          ResultSet r = scroll.executeQuery("select id, name from t order by id limit 3")) {
        r.last();
        r.updateString("name", "updated");
        r.updateRow();
        show("updated", r.getRow(), r.getString("name"));
      }
      s.execute("listen news; notify news, 'payload'");
      for (var n : c.unwrap(PGConnection.class).getNotifications(2000)) show("heard", n.getName(), n.getParameter());
      s.setQueryTimeout(1);
      fault("cancelled", () -> s.execute("select pg_sleep(20)"));
      s.setQueryTimeout(0);
      s.execute("alter table t add late int default 4");
      try (PreparedStatement p = c.prepareStatement("select * from t where id = ?")) {
        for (int i = 0; i < 5; i++) {
          p.setInt(1, 1);
          try (ResultSet r = p.executeQuery()) {
            show("wide", r.getMetaData().getColumnCount());
          }
          if (i == 3) s.execute("alter table t drop late");
        }
      }
      s.execute("drop schema jdbc cascade");
    }
  }
}
