# pgbench in its three protocols: what was done, without how fast.
pgbench -i -q -s 1 2>&1 | grep -v 'done in\|tuples\|^NOTICE' 
for mode in simple extended prepared; do
  pgbench -n -M $mode -c 4 -t 25 2>&1 | grep -E 'query mode|actually processed|failed|error'
  pgbench -n -S -M $mode -c 4 -t 50 2>&1 | grep -E 'query mode|actually processed|failed|error'
done
psql -X -At -c 'select count(*), sum(abs(delta)) >= 0 from pgbench_history' -c 'drop table pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers'
