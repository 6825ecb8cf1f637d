// One statement of any kind: queries and writes go to their own files, the rest is classified here.
import type { Verb } from '../reading.ts';
import type { Analysis } from './analysis.ts';
import { alterStatement, createStatement, dropStatement, renameTables } from './ddl.ts';
import { evaluateAll } from './expressions.ts';
import { lookup } from './from.ts';
import { taken } from './into.ts';
import { prepared } from './prepared.ts';
import { routineCall } from './programs.ts';
import { query, selectList } from './queries.ts';
import { Scope } from './scope.ts';
import { setStatement } from './settings.ts';
import { explain, handler, show } from './show.ts';
import { everyTree, firstToken, has, kid, kidsOf, nameParts, operands, type Tree, tokensOf } from './tree.ts';
import { chosenBy, type Field, noSources, rootless } from './value.ts';
import { assignVariable, variableName } from './variables.ts';
import { writeStatement } from './writes.ts';

/** What a result looks like whose columns the server alone decides. */
export const anyColumn: readonly Field[] = [{ name: '*', value: rootless }];

export function rowsOfServer(analysis: Analysis, field: Field = anyColumn[0] ?? { name: '*', value: rootless }): void {
  analysis.anyColumns = true;
  analysis.outputs = [field];
}

/** Reads one statement; `tree` is what the grammar has below SimpleStatement. */
export function statement(analysis: Analysis, tree: Tree, scope: Scope | undefined, returning?: Tree): void {
  analysis.enter();
  read(analysis, tree, scope, returning);
  analysis.leave();
}

function read(analysis: Analysis, tree: Tree, scope: Scope | undefined, returning: Tree | undefined): void {
  switch (tree.kind) {
    case 'SelectStatement':
      select(analysis, tree, scope);
      return;
    case 'InsertStatement':
    case 'ReplaceStatement':
    case 'UpdateStatement':
    case 'DeleteStatement':
    case 'LoadStatement':
      writeStatement(analysis, tree, scope, returning);
      return;
    case 'CallStatement':
      call(analysis, tree, scope);
      return;
    case 'DoStatement': {
      analysis.verbs.add('do');
      const list = kid(tree, 'SelectItemList');
      if (list !== undefined) selectList(analysis, list, scope ?? new Scope(undefined));
      else evaluateAll(analysis, operands(kid(tree, 'ExprList') ?? tree), scope ?? new Scope(undefined));
      return;
    }
    case 'HandlerStatement':
      handler(analysis, tree);
      return;
    case 'BeginWork':
      analysis.verbs.add('begin');
      return;
    case 'TransactionOrLockingStatement':
      transaction(analysis, tree.kids[0] ?? tree);
      return;
    case 'PreparedStatement':
      prepared(analysis, tree);
      return;
    case 'SetStatement':
      setStatement(analysis, tree, scope);
      return;
    case 'ShowStatement':
      show(analysis, tree, scope);
      return;
    case 'UtilityStatement':
      utility(analysis, tree.kids[0] ?? tree, scope);
      return;
    case 'AlterStatement':
      alterStatement(analysis, tree);
      return;
    case 'CreateStatement':
      createStatement(analysis, tree);
      return;
    case 'DropStatement':
      dropStatement(analysis, tree);
      return;
    case 'RenameTableStatement':
      renameTables(analysis, tree);
      return;
    case 'TruncateTableStatement':
      truncate(analysis, tree);
      return;
    case 'AccountManagementStatement':
      account(analysis, tree.kids[0] ?? tree);
      return;
    case 'TableAdministrationStatement':
      administer(analysis, tree);
      return;
    case 'OtherAdministrativeStatement':
      otherAdministration(analysis, tree);
      return;
    case 'GetDiagnostics':
      diagnostics(analysis, tree);
      return;
    case 'SignalStatement':
    case 'ResignalStatement':
      signal(analysis, tree, scope);
      return;
    case 'ReplicationStatement':
    case 'ResourceGroupManagement':
      analysis.verbs.add('admin');
      return;
    case 'CloneStatement':
    case 'ImportStatement':
      analysis.verbs.add('admin');
      analysis.verbs.add('file');
      return;
    case 'InstallUninstallStatment':
      analysis.verbs.add('admin');
      analysis.verbs.add('program');
      return;
    default:
      analysis.verbs.add('admin');
      analysis.unread('statement', tree.kind, `a statement of kind ${tree.kind} is not read`);
  }
}

export function select(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  const result = query(analysis, tree, scope);
  // Rows that go INTO a file or variables do not come to the client.
  analysis.outputs = taken.has(analysis)
    ? undefined
    : result.fields.map((field) => ({ name: field.name, value: chosenBy(field.value, result.rows) }));
}

function call(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  analysis.verbs.add('call');
  const args = operands(kid(tree, 'ExprList') ?? { kind: '', kids: [], token: undefined });
  const values = evaluateAll(analysis, args, scope ?? new Scope(undefined));
  routineCall(analysis, 'procedure', nameParts(kid(tree, 'ProcedureRef')), values, firstToken(tree)?.start);
  // OUT parameters: what a trusted procedure puts into them is its owner's word.
  for (const arg of args)
    everyTree(arg, (each) => {
      if (each.kind === 'UserVariable') assignVariable(analysis, variableName(each), rootless);
    });
  rowsOfServer(analysis);
  analysis.barrier = true;
}

function transaction(analysis: Analysis, tree: Tree): void {
  const words = tokensOf(tree).map((token) => token.text.toLowerCase());
  const [first] = words;
  switch (tree.kind) {
    case 'TransactionStatement':
      analysis.verbs.add(first === 'commit' ? 'commit' : 'begin');
      return;
    case 'SavepointStatement':
      analysis.verbs.add(first === 'rollback' ? 'rollback' : 'savepoint');
      return;
    case 'LockStatement':
      analysis.verbs.add('lock');
      for (const item of kidsOf(tree, 'LockItem')) {
        const write = has(kid(item, 'LockOption'), 'WRITE');
        lookup(analysis, nameParts(kid(item, 'TableRef')), write ? 'write' : 'read', firstToken(item)?.start);
      }
      return;
    default:
      analysis.verbs.add(xaVerbs[words[1] ?? ''] ?? 'admin');
      if (words[1] === 'recover') rowsOfServer(analysis);
  }
}

const xaVerbs: Readonly<Record<string, Verb>> = {
  start: 'begin',
  begin: 'begin',
  end: 'commit',
  prepare: 'commit',
  commit: 'commit',
  rollback: 'rollback',
};

function utility(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  switch (tree.kind) {
    case 'DescribeCommand':
      analysis.verbs.add('show');
      lookup(analysis, nameParts(kid(tree, 'TableRef')), 'read', firstToken(tree)?.start);
      rowsOfServer(analysis);
      return;
    case 'ExplainCommand':
      explain(analysis, tree, scope);
      return;
    case 'HelpCommand':
      analysis.verbs.add('show');
      rowsOfServer(analysis);
      return;
    case 'UseCommand': {
      analysis.verbs.add('use');
      const database = nameParts({ ...tree, kids: tree.kids.slice(1) })[0] ?? '';
      analysis.effect((state) => ({ ...state, database }));
      return;
    }
    default:
      analysis.verbs.add('admin');
  }
}

function truncate(analysis: Analysis, tree: Tree): void {
  analysis.verbs.add('truncate');
  const found = lookup(analysis, nameParts(kid(tree, 'TableRef')), 'write', firstToken(tree)?.start);
  const { table } = found;
  analysis.unbounded.push({
    verb: 'truncate',
    table: { schema: table?.schema ?? '', table: table?.name ?? nameParts(kid(tree, 'TableRef')).pop() ?? '' },
    why: 'it removes every row',
  });
}

function account(analysis: Analysis, tree: Tree): void {
  const verbs: Readonly<Record<string, Verb>> = {
    AlterUser: 'alter',
    CreateUser: 'create',
    DropUser: 'drop',
    Grant: 'grant',
    RenameUser: 'rename',
    Revoke: 'revoke',
  };
  if (tree.kind === 'SetRole') {
    analysis.verbs.add('set');
    analysis.forbid(
      'forbidden-setting',
      'the role of the session cannot be changed through the gateway: it acts as the identity that logged in',
      'Leave the role as the target has it.',
    );
    return;
  }
  analysis.verbs.add(verbs[tree.kind] ?? 'admin');
  if (tree.kind !== 'Grant' && tree.kind !== 'Revoke') analysis.verbs.add('admin');
}

function administer(analysis: Analysis, tree: Tree): void {
  analysis.verbs.add('analyze');
  const word = firstToken(tree)?.text.toLowerCase();
  for (const table of kidsOf(kid(tree, 'TableRefList'), 'TableRef'))
    lookup(
      analysis,
      nameParts(table),
      word === 'checksum' || word === 'check' ? 'read' : 'ddl',
      firstToken(table)?.start,
    );
  if (word === 'checksum') analysis.sideDoor('CHECKSUM TABLE', 'it computes a number from all values of a table');
  rowsOfServer(analysis);
}

function otherAdministration(analysis: Analysis, tree: Tree): void {
  const word = firstToken(tree)?.text.toLowerCase();
  analysis.verbs.add(word === 'kill' ? 'kill' : word === 'flush' ? 'flush' : 'admin');
  if (word === 'kill') {
    const expression = operands(tree).at(-1);
    for (const value of evaluateAll(analysis, expression === undefined ? [] : [expression], new Scope(undefined)))
      analysis.use(value, 'argument');
  }
  if (word === 'cache') rowsOfServer(analysis);
}

/** GET DIAGNOSTICS puts messages, which may quote values, into variables. */
function diagnostics(analysis: Analysis, tree: Tree): void {
  analysis.verbs.add('show');
  analysis.stateful = true;
  everyTree(tree, (each) => {
    if (each.kind !== 'UserVariable') return;
    const quoting = /message_text/i.test(
      tokensOf(tree)
        .map((token) => token.text)
        .join(' '),
    );
    assignVariable(analysis, variableName(each), {
      ...rootless,
      sources: quoting ? analysis.state.last : noSources,
      kind: 'text',
    });
  });
}

function signal(analysis: Analysis, tree: Tree, scope: Scope | undefined): void {
  analysis.verbs.add('do');
  everyTree(tree, (each) => {
    if (each.kind !== 'SignalAllowedExpr') return;
    for (const value of evaluateAll(analysis, operands(each), scope ?? new Scope(undefined)))
      analysis.flow(value.sources, { kind: 'place', what: 'unknown' });
  });
}
