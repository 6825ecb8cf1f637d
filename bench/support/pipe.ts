// The least that a proxy in Node can do: copy bytes both ways. Started as a process of its own with the upstream's port; prints its own.
import { connect, createServer } from 'node:net';

const upstreamPort = Number(process.argv[2]);

const server = createServer((client) => {
  const upstream = connect(upstreamPort, '127.0.0.1');
  for (const socket of [client, upstream]) socket.setNoDelay(true);
  client.pipe(upstream).pipe(client);
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(address.port);
});
