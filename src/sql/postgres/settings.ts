// Settings: which ones would change how text is read or who acts, and are never to be changed by a client.
import type { Analysis } from './analysis.ts';
import { evaluate } from './expressions.ts';
import type { Scope } from './scope.ts';
import { as, type Node, names, type VariableSetStmt } from './tree.ts';

/** Changing one of these would make the server read SQL otherwise than we do. */
const forbidden: ReadonlyMap<string, string> = new Map([
  ['standard_conforming_strings', 'it changes how strings are read'],
  ['backslash_quote', 'it changes how strings are read'],
  ['transform_null_equals', 'it changes what conditions mean'],
  ['client_encoding', 'the gateway reads texts as UTF8'],
]);

/** These take an administrator, and no masks: they lift a guard of the server's, load code, or send what it thinks to its log or the client. */
const guarded: ReadonlyMap<string, string> = new Map([
  ['role', 'the session acts as the identity that logged in'],
  ['session_authorization', 'the session acts as the identity that logged in'],
  ['session_replication_role', 'it turns triggers and rules off'],
  ['allow_system_table_mods', 'it opens the system catalogs to writes'],
  ['ignore_system_indexes', 'it is for repairing a server'],
  ['zero_damaged_pages', 'it is for repairing a server'],
  ['default_table_access_method', 'it decides what code keeps the rows'],
  ['debug_print_parse', 'it sends trees of statements to the client'],
  ['debug_print_raw_parse', 'it sends trees of statements to the client'],
  ['debug_print_rewritten', 'it sends trees of statements to the client'],
  ['debug_print_plan', 'it sends plans of statements to the client'],
  ['escape_string_warning', 'it has no use but to probe how strings are read'],
  ['is_superuser', 'it is not for clients to set'],
  ['local_preload_libraries', 'it loads code into the server'],
  ['session_preload_libraries', 'it loads code into the server'],
  ['dynamic_library_path', 'it loads code into the server'],
  ['log_statement', 'it belongs to the server'],
  ['log_parser_stats', 'it belongs to the server'],
  ['log_planner_stats', 'it belongs to the server'],
  ['log_executor_stats', 'it belongs to the server'],
  ['log_statement_stats', 'it belongs to the server'],
  ['log_min_messages', 'it belongs to the server'],
  ['trace_notify', 'it sends traces to the client'],
  ['trace_locks', 'it sends traces to the client'],
  ['trace_sort', 'it sends traces to the client'],
]);

/** Why a setting takes an administrator and no masks, if it does. Extensions' own names hold a dot. */
function guardOf(name: string): string | undefined {
  return (
    guarded.get(name) ??
    (/^(?:plpgsql|auto_explain|pg_stat_statements)\.|^(?:plpython|plperl)/.test(name)
      ? 'it changes what functions do or what is sent about statements'
      : undefined)
  );
}

/** Notes that a statement changes a setting; forbids what must not be changed. */
export function noteSetting(analysis: Analysis, rawName: string, value: string | undefined): void {
  const name = rawName.toLowerCase();
  analysis.settings.push({ name, value });
  analysis.literalSensitive = true;
  if (name === 'search_path') pathEffect(analysis, analysis.inside === 0 ? value : undefined, false, false);
  if (/^(enable_|geqo)|_cost$/.test(name))
    analysis.sideDoor(name, "a plan of the client's choice returns rows in the order of their values");
  const why = forbidden.get(name);
  // Setting what holds already is what drivers do at login.
  const harmless =
    (name === 'client_encoding' && value !== undefined && /^(utf-?8|unicode)$/i.test(value)) ||
    (name === 'standard_conforming_strings' && value !== undefined && /^(on|true|1|yes)$/i.test(value)) ||
    (name === 'default_table_access_method' && value === 'heap') ||
    (name === 'session_replication_role' && value === 'origin');
  if (harmless) return;
  const guard = guardOf(name);
  if (guard !== undefined) {
    analysis.verbs.add('admin');
    analysis.unreadable('rows', `the setting ${name}`, guard);
    // Another user has another "$user" schema: where names lead is not known until the path is set again.
    if (name === 'role' || name === 'session_authorization') pathEffect(analysis, undefined, false, false);
  }
  if (why === undefined) return;
  analysis.forbidden ??= {
    rule: 'forbidden-setting',
    message: `the setting ${name} cannot be changed through the gateway: ${why}`,
    hint: 'Leave this setting as the target has it.',
  };
}

/** SET, SET LOCAL, RESET, SET TRANSACTION. */
export function setStatement(analysis: Analysis, body: VariableSetStmt): void {
  const name = (body.name ?? '').toLowerCase();
  switch (body.kind) {
    case 'VAR_RESET_ALL':
      analysis.settings.push({ name: 'all', value: undefined });
      pathEffect(analysis, undefined, false, true);
      return;
    case 'VAR_SET_MULTI':
      // SET TRANSACTION, SET SESSION CHARACTERISTICS; a snapshot is another session's, not another's rights.
      analysis.settings.push({ name: name.toLowerCase(), value: undefined });
      return;
    case 'VAR_RESET':
    case 'VAR_SET_DEFAULT':
      analysis.settings.push({ name, value: undefined });
      if (name === 'search_path') pathEffect(analysis, undefined, body.is_local === true, true);
      return;
    case 'VAR_SET_CURRENT':
      return;
    default:
      noteSetting(analysis, name, constantArguments(body.args));
  }
}

function pathEffect(analysis: Analysis, value: string | undefined, local: boolean, reset: boolean): void {
  analysis.barrier = true;
  analysis.effects.push({ kind: 'search-path', value, local, reset });
}

/** The text of a setting's value: names are quoted where they stand in a list, as the server stores them. */
function constantArguments(args: readonly Node[] | undefined): string | undefined {
  const parts: string[] = [];
  for (const arg of args ?? []) {
    const literal = as(arg, 'A_Const') ?? as(as(arg, 'TypeCast')?.arg, 'A_Const');
    if (literal === undefined) return undefined;
    const text =
      literal.sval?.sval ??
      literal.fval?.fval ??
      (literal.boolval === undefined
        ? literal.ival === undefined
          ? ''
          : String(literal.ival.ival ?? 0)
        : String(literal.boolval.boolval ?? false));
    parts.push(text);
  }
  if (parts.length === 1) return parts[0];
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(', ');
}

/**
 * What `name` is in `FROM pg_settings WHERE name = 'work_mem'`, the way in which pg_dump sets what only some servers have; undefined
 * for any other query.
 */
export function settingNamed({ items }: Scope, where: Node | undefined): string | undefined {
  const [only] = items;
  if (items.length !== 1 || only?.relation?.schema !== 'pg_catalog' || only.relation.name !== 'pg_settings')
    return undefined;
  const equality = as(where, 'A_Expr');
  if (equality?.kind !== 'AEXPR_OP' || names(equality.name).join('.') !== '=' || !isName(equality.lexpr))
    return undefined;
  return as(equality.rexpr, 'A_Const')?.sval?.sval;
}

function isName(node: Node | undefined): boolean {
  return names(as(node, 'ColumnRef')?.fields).join('.') === 'name';
}

/** set_config(name, value, is_local): the name must be there to be judged. */
export function callSetConfig(analysis: Analysis, args: readonly Node[], scope: Scope): void {
  analysis.literalSensitive = true;
  analysis.barrier = true;
  const literal = (node: Node | undefined): string | undefined => {
    const arg = as(node, 'NamedArgExpr')?.arg ?? node;
    return (as(arg, 'A_Const') ?? as(as(arg, 'TypeCast')?.arg, 'A_Const'))?.sval?.sval;
  };
  const name = literal(args[0]) ?? (isName(args[0]) ? scope.setting : undefined);
  if (name === undefined || args.some((arg) => as(arg, 'NamedArgExpr') !== undefined)) {
    analysis.forbidden ??= {
      rule: 'forbidden-setting',
      message: 'set_config with a computed name cannot be judged',
      hint: 'Write the name of the setting as a literal.',
    };
    return;
  }
  const value = literal(args[1]);
  noteSetting(analysis, name, value);
  if (name.toLowerCase() === 'search_path' && value === undefined) {
    evaluate(analysis, args[1], scope);
    analysis.settings.push({ name: 'search_path', value: undefined });
  }
}
