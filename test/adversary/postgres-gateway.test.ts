// Every attack through the real gateway, over the simple and the extended protocol, against two worlds that differ in the masked
// values only. An attack works on the bare server when it tells a canary or tells the worlds apart; through the gateway it must do neither.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { house } from '../e2e/support.ts';
import { leakIn } from './canaries.ts';
import { type Attack, attacks, fill, policy, run, schema, type World } from './support.ts';
import { comparable, Listener, type Message, refused, told, type Way } from './transcript.ts';

// What the journal does is not what is tried here: no statement waits for the disk.
const at = house({ schema, policy, extra: 'audit: { durable: false }' });

/** What stands alone goes all ways; what changes definitions, whose catalog must be read anew each time, goes one. */
function waysOf(attack: Attack): readonly Way[] {
  if (attack.undo !== undefined) return ['extended'];
  return attack.setup === undefined && attack.then === undefined
    ? ['simple', 'extended', 'binary']
    : ['simple', 'extended'];
}

type Runs = Map<string, readonly Message[]>;
const bare: Record<World, Runs> = { first: new Map(), second: new Map() };
const gated: Record<World, Runs> = { first: new Map(), second: new Map() };
const key = (attack: Attack, way: Way) => `${way} ${attack.name}`;

async function everything(
  open: () => Promise<Listener>,
  into: Runs,
  ways: (attack: Attack) => readonly Way[],
): Promise<void> {
  const owner = new pg.Client({ connectionString: at().server.url() });
  await owner.connect();
  owner.on('notice', () => undefined);
  const undo = async (statements: readonly string[]) => {
    for (const statement of statements) await owner.query(statement);
  };
  const shared = await open();
  for (const attack of attacks) {
    for (const way of ways(attack)) {
      into.set(key(attack, way), await run(open, shared, attack, way, undo));
    }
  }
  await shared.close();
  await owner.end();
}

beforeAll(async () => {
  const direct = () =>
    Listener.open({
      connectionString: at()
        .server.url()
        .replace(/\/\/[^@]*@/, '//gateway:gateway-secret@'),
    });
  const through = async () => Listener.open(await at().client(['crew']));
  for (const world of ['first', 'second'] as const) {
    await fill(at().server.url(), world);
    await everything(direct, bare[world], () => ['simple']);
    await fill(at().server.url(), world);
    await everything(through, gated[world], waysOf);
  }
}, 900_000);

/** What an attack does on the bare server. */
function signal(attack: Attack): 'canary' | 'difference' | undefined {
  const [one, other] = [bare.first.get(key(attack, 'simple')) ?? [], bare.second.get(key(attack, 'simple')) ?? []];
  if (leakIn(told(one)) !== undefined) return 'canary';
  return comparable(one) === comparable(other) ? undefined : 'difference';
}

describe('attacks on Postgres through the gateway', () => {
  it.each(attacks.map((attack) => [attack.name, attack] as const))('works on the bare server: %s', (_, attack) => {
    if (attack.harmless === undefined)
      expect(signal(attack), told(bare.first.get(key(attack, 'simple')) ?? [])).toBeDefined();
  });

  it.each(attacks.map((attack) => [attack.name, attack] as const))(
    'tells nothing through the gateway: %s',
    (_, attack) => {
      for (const way of waysOf(attack)) {
        const [one, other] = [gated.first.get(key(attack, way)) ?? [], gated.second.get(key(attack, way)) ?? []];
        expect(leakIn(comparable(one)), `${way}\n${told(one)}`).toBeUndefined();
        expect(leakIn(comparable(other)), `${way}\n${told(other)}`).toBeUndefined();
        // Two refusals may differ in the position, which a reading from the cache does not know.
        if (!refused(one) || !refused(other)) expect(comparable(one), way).toBe(comparable(other));
      }
    },
  );
});

it('the published figures are those of this list', () => {
  const shown = attacks.filter((attack) => attack.harmless === undefined).length;
  const page = readFileSync(new URL('../../docs/threat-model.md', import.meta.url), 'utf8');
  const figure = (line: string) => Number(new RegExp(`^\\| ${line}.*\\|\\s*(\\d+)\\s*\\|$`, 'm').exec(page)?.[1]);
  expect(figure('attacks in the list')).toBe(attacks.length);
  expect(figure('attacks stopped')).toBe(attacks.length);
  expect(figure('of them shown')).toBe(shown);
  expect(figure('the others')).toBe(attacks.length - shown);
});

afterAll(() => {
  const stopped = attacks.filter((attack) => refused(gated.first.get(key(attack, 'simple')) ?? []));
  if (process.env.SHOW_ATTACKS !== undefined)
    console.log(`${attacks.length} attacks, ${stopped.length} refused, the others masked`);
});
