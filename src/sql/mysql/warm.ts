// The grammar learns as it reads: the first statement of a kind takes a hundred times as long as the next. What most clients send
// is read once before they come, a statement at a time, so that nothing else has to wait for long.
import { setImmediate as pause } from 'node:timers/promises';
import { parse } from './grammar.ts';
import { lex } from './lexer.ts';
import type { Dialect } from './modes.ts';

const samples: readonly string[] = [
  'SELECT 1',
  'SELECT @@version_comment LIMIT 1',
  'SELECT a, b.c AS d FROM t WHERE a = 1 AND b.c IN (1, 2)',
  "SELECT a.*, COUNT(*) AS n, SUM(b.c) FROM t a JOIN u AS b ON b.x = a.y LEFT JOIN v ON v.i = a.i WHERE a.s = 'x' AND (a.r IS NOT NULL OR NOT a.q LIKE '%y%') AND a.z BETWEEN 1 AND 2 GROUP BY a.k HAVING COUNT(*) > 1 ORDER BY n DESC LIMIT 10 OFFSET 20",
  "SELECT CASE WHEN a > 1 THEN 'b' ELSE c END, COALESCE(a, 0), a + 1 FROM (SELECT x FROM y) d WHERE EXISTS (SELECT 1 FROM z WHERE z.i = d.i)",
  "SELECT DATE_FORMAT(a, '%Y'), DATE(b), NOW() - INTERVAL 7 DAY, CONCAT(c, 'x'), IF(d, 1, 2) FROM t",
  'SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) FROM t UNION ALL SELECT 2',
  'WITH w AS (SELECT 1 AS a) SELECT * FROM w',
  'INSERT INTO t (a, b) VALUES (1, ?), (2, DEFAULT) ON DUPLICATE KEY UPDATE b = VALUES(b)',
  'INSERT INTO t SELECT * FROM u',
  "UPDATE t SET a = 1, b = b + 1 WHERE c = 'x'",
  'DELETE FROM t WHERE a = 1',
  "SET NAMES utf8mb4, @@session.sql_mode = 'ANSI', autocommit = 1",
  'SHOW FULL COLUMNS FROM `t`',
  "SHOW VARIABLES LIKE 'x'",
  'CREATE TABLE t (a INT NOT NULL PRIMARY KEY AUTO_INCREMENT, b VARCHAR(20) DEFAULT NULL, KEY k (b)) ENGINE = InnoDB',
];

const warmed = new Set<string>();

/** Resolves when the grammar has read the samples for servers of this kind, or nobody wants them any more; once in a process. */
export async function warmGrammar(dialect: Dialect, wanted: () => boolean): Promise<void> {
  const key = `${dialect.mariadb} ${dialect.version}`;
  if (warmed.has(key)) return;
  warmed.add(key);
  for (const sample of samples) {
    await pause();
    if (!wanted()) {
      warmed.delete(key);
      return;
    }
    parse(lex(sample, dialect).tokens, dialect);
  }
}
