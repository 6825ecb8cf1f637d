import { openSides, output } from './test/drivers/sides.ts';
const s = await openSides();
for (const side of [s.direct, s.gateway]) console.log((await output(side, process.argv.slice(2))).slice(-1500));
await s.stop();
