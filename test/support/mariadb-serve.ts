// Run by scripts/test.js: one server for all files of tests. Prints its URL and stops it when standard input ends.
import { startMariadb } from '../../src/demo/mariadb-server.ts';

const server = await startMariadb();
console.log(server.url());
process.stdin.resume();
process.stdin.once('end', () => void server.stop().then(() => process.exit(0)));
