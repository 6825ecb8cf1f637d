// Whether a condition restricts the rows it is asked of, and if not, why: the tautologies an agent would write.
import type { Analysis } from './analysis.ts';
import type { Column } from './catalog.ts';
import { bareColumn, type Item, itemNamed, Scope } from './scope.ts';
import { type A_Expr, as, everyNode, kindOf, type Node, names, type SelectStmt, sameTree } from './tree.ts';

export interface Verdict {
  readonly restricts: boolean;
  readonly why: string;
}

const yes: Verdict = { restricts: true, why: '' };
const no = (why: string): Verdict => ({ restricts: false, why });

/**
 * Says whether a condition restricts. With a `target` it must restrict that table: conditions on others alone do not.
 * `undefined` asks only whether it is more than a tautology.
 */
export function restricts(analysis: Analysis, node: Node, scope: Scope, target: Item | undefined): Verdict {
  return new Judge(analysis, scope, target).judge(node, false);
}

class Judge {
  private readonly analysis: Analysis;
  private readonly scope: Scope;
  private readonly target: Item | undefined;

  constructor(analysis: Analysis, scope: Scope, target: Item | undefined) {
    this.analysis = analysis;
    this.scope = scope;
    this.target = target;
  }

  /** `negated` asks about NOT node. */
  judge(node: Node, negated: boolean): Verdict {
    this.analysis.enter();
    const verdict = this.judgeNode(node, negated);
    this.analysis.leave();
    return verdict;
  }

  private judgeNode(node: Node, negated: boolean): Verdict {
    const truth = this.constantTruth(node);
    if (truth !== undefined) return truth === !negated ? no(`${words(node, negated)} is always true`) : yes;
    switch (kindOf(node)) {
      case 'BoolExpr': {
        const body = as(node, 'BoolExpr');
        const args = body?.args ?? [];
        if (body?.boolop === 'NOT_EXPR') return args[0] === undefined ? yes : this.judge(args[0], !negated);
        const isAnd = (body?.boolop === 'AND_EXPR') !== negated;
        const verdicts = args.map((arg) => this.judge(arg, negated));
        if (isAnd) return verdicts.find((verdict) => verdict.restricts) ?? verdicts[0] ?? yes;
        // Whether alternatives are opposites can hang on their literals being the same.
        if (hasLiteral(args)) this.analysis.boundSensitive = true;
        if (complementary(args)) return no('its alternatives cover every row');
        return verdicts.find((verdict) => !verdict.restricts) ?? yes;
      }
      case 'A_Expr':
        return this.comparison(as(node, 'A_Expr'), negated);
      case 'NullTest': {
        const body = as(node, 'NullTest');
        const isNotNull = (body?.nulltesttype === 'IS_NOT_NULL') !== negated;
        const column = this.column(body?.arg);
        if (isNotNull && column?.notNull === true) return no(`${column.name} is never NULL`);
        return this.mentions(node);
      }
      case 'BooleanTest': {
        const body = as(node, 'BooleanTest');
        if (body?.arg === undefined) return yes;
        const positive = body.booltesttype === 'IS_TRUE' || body.booltesttype === 'IS_NOT_FALSE';
        const negative = body.booltesttype === 'IS_FALSE' || body.booltesttype === 'IS_NOT_TRUE';
        return positive || negative ? this.judge(body.arg, negated !== negative) : this.mentions(node);
      }
      case 'SubLink': {
        const body = as(node, 'SubLink');
        const isIn = body?.subLinkType === 'ANY_SUBLINK' && (body.operName?.length ?? 0) === 0;
        const select = as(body?.subselect, 'SelectStmt');
        if (isIn && !negated && select !== undefined && this.sameColumn(body?.testexpr, select))
          return no('it asks whether the rows are among themselves');
        return this.mentions(node);
      }
      case 'TypeCast': {
        const arg = as(node, 'TypeCast')?.arg;
        return arg !== undefined && kindOf(arg) !== 'ColumnRef' && kindOf(arg) !== 'A_Const'
          ? this.judge(arg, negated)
          : this.mentions(node);
      }
      case 'CurrentOfExpr':
        return yes;
      default:
        return this.mentions(node);
    }
  }

  private comparison(body: A_Expr | undefined, negated: boolean): Verdict {
    if (body === undefined) return yes;
    const node: Node = { A_Expr: body };
    const name = names(body.name).pop() ?? '';
    if (hasLiteral(body.lexpr) && hasLiteral(body.rexpr)) this.analysis.boundSensitive = true;
    const reflexive = negated ? ['<>', '!=', '<', '>'] : ['=', '>=', '<='];
    const plain = body.kind === 'AEXPR_OP' || body.kind === 'AEXPR_DISTINCT' || body.kind === 'AEXPR_NOT_DISTINCT';
    if (plain && body.lexpr !== undefined && sameTree(body.lexpr, body.rexpr)) {
      const always =
        body.kind === 'AEXPR_NOT_DISTINCT'
          ? !negated
          : body.kind === 'AEXPR_DISTINCT'
            ? negated
            : reflexive.includes(name);
      if (always) return no(`${words(node, negated)} compares a value with itself`);
    }
    if (!negated && (body.kind === 'AEXPR_LIKE' || body.kind === 'AEXPR_ILIKE')) {
      const pattern = as(body.rexpr, 'A_Const')?.sval?.sval;
      if (pattern !== undefined) this.analysis.boundSensitive = true;
      if (pattern !== undefined && /^%+$/.test(pattern) && name.startsWith('~'))
        return no(`LIKE '%' is true for every value`);
    }
    if (!negated && body.kind === 'AEXPR_OP' && (name === '~' || name === '~*')) {
      const pattern = as(body.rexpr, 'A_Const')?.sval?.sval;
      if (pattern !== undefined) this.analysis.boundSensitive = true;
      if (pattern !== undefined && /^\^?(\.\*)?\$?$/.test(pattern)) return no('the pattern matches every value');
    }
    if (!negated && (body.kind === 'AEXPR_IN' || body.kind === 'AEXPR_OP_ANY') && name === '=') {
      const array = as(body.rexpr, 'A_ArrayExpr')?.elements ?? as(body.rexpr, 'List')?.items ?? [];
      if (array.some((element) => sameTree(body.lexpr, element)))
        return no('a value is always among values that include it');
      const select = as(as(body.rexpr, 'SubLink')?.subselect, 'SelectStmt');
      if (select !== undefined && this.sameColumn(body.lexpr, select))
        return no('it asks whether the rows are among themselves');
    }
    if (!negated && body.kind === 'AEXPR_OP' && name === '=') {
      const [left, right] = [this.column(body.lexpr), this.column(body.rexpr)];
      if (left !== undefined && left === right) return no(`it joins ${left.table.name} with itself on ${left.name}`);
    }
    return this.mentions(node);
  }

  /** Does a condition depend on the target at all? */
  private mentions(node: Node): Verdict {
    if (this.target === undefined) return yes;
    const { target } = this;
    let found = false;
    everyNode(node, (kind, body) => {
      if (found || kind !== 'ColumnRef') return;
      const path = names(as({ ColumnRef: body } as unknown as Node, 'ColumnRef')?.fields);
      if (path.length > 1) found = path[path.length - 2] === target.name;
      else
        found =
          target.open ||
          target.fields.some((field) => field.name === path[0]) ||
          path[0] === target.name ||
          path[0] === 'ctid';
    });
    return found ? yes : no('it does not depend on the rows of the table');
  }

  /** The table column an expression is, uncomputed. */
  private column(node: Node | undefined): Column | undefined {
    const ref = as(node, 'ColumnRef');
    if (ref === undefined) return undefined;
    const path = names(ref.fields);
    const name = path[path.length - 1] ?? '';
    const value =
      path.length === 1
        ? bareColumn(this.scope, name)[0]
        : itemNamed(this.scope, undefined, path[path.length - 2] ?? '')?.fields.find((field) => field.name === name)
            ?.value;
    if (value === undefined || !value.pure) return undefined;
    const [first] = value.sources.keys();
    return first;
  }

  /** `x IN (SELECT x FROM t)` without a condition, where x is of t. */
  private sameColumn(test: Node | undefined, select: SelectStmt): boolean {
    const column = this.column(test);
    if (
      column === undefined ||
      select.limitCount !== undefined ||
      select.havingClause !== undefined ||
      select.fromClause?.length !== 1
    )
      return false;
    const range = as(select.fromClause[0], 'RangeVar');
    const target = as(as(select.targetList?.[0], 'ResTarget')?.val, 'ColumnRef');
    if (range?.relname !== column.table.name || names(target?.fields).pop() !== column.name) return false;
    return (
      select.whereClause === undefined ||
      !restricts(this.analysis, select.whereClause, new Scope(this.scope), undefined).restricts
    );
  }

  /** The truth of a condition made of literals only; undefined where it is not. */
  private constantTruth(node: Node): boolean | undefined {
    const value = fold(node);
    if (value === undefined) return undefined;
    this.analysis.boundSensitive = true;
    return value === true;
  }
}

type Literal = string | number | boolean | null;

/** Computes an expression of literals; undefined where it is more than that. */
export function fold(node: Node | undefined): Literal | undefined {
  if (node === undefined) return undefined;
  const literal = as(node, 'A_Const');
  if (literal !== undefined) {
    if (literal.isnull === true) return null;
    if (literal.boolval !== undefined) return literal.boolval.boolval ?? false;
    if (literal.ival !== undefined) return literal.ival.ival ?? 0;
    if (literal.fval !== undefined) return Number(literal.fval.fval);
    return literal.sval?.sval ?? '';
  }
  const cast = as(node, 'TypeCast');
  if (cast !== undefined) {
    const value = fold(cast.arg);
    const type = names(cast.typeName?.names).pop();
    if (type === 'bool' && typeof value === 'string') return /^\s*(t|tr|tru|true|y|ye|yes|on|1)\s*$/i.test(value);
    if (type === 'bool' && typeof value === 'number') return value !== 0;
    return value;
  }
  const body = as(node, 'BoolExpr');
  if (body !== undefined) {
    const args = (body.args ?? []).map(fold);
    if (body.boolop === 'NOT_EXPR')
      return typeof args[0] === 'boolean' ? !args[0] : args[0] === null ? null : undefined;
    const decisive = body.boolop === 'OR_EXPR';
    if (args.some((arg) => arg === decisive)) return decisive;
    return args.every((arg) => arg === !decisive)
      ? !decisive
      : args.some((arg) => arg === undefined)
        ? undefined
        : null;
  }
  const test = as(node, 'NullTest');
  if (test !== undefined) {
    const value = fold(test.arg);
    return value === undefined ? undefined : (value === null) === (test.nulltesttype === 'IS_NULL');
  }
  const link = as(node, 'SubLink');
  if (link !== undefined) {
    const select = as(link.subselect, 'SelectStmt');
    const bare =
      select !== undefined &&
      select.fromClause === undefined &&
      select.whereClause === undefined &&
      select.op === 'SETOP_NONE' &&
      select.limitCount === undefined;
    if (!bare || select.valuesLists !== undefined) return undefined;
    if (link.subLinkType === 'EXISTS_SUBLINK') return true;
    return link.subLinkType === 'EXPR_SUBLINK' ? fold(as(select.targetList?.[0], 'ResTarget')?.val) : undefined;
  }
  const coalesce = as(node, 'CoalesceExpr');
  if (coalesce !== undefined) {
    const args = (coalesce.args ?? []).map(fold);
    return args.some((arg) => arg === undefined) ? undefined : (args.find((arg) => arg !== null) ?? null);
  }
  const choice = as(node, 'CaseExpr');
  if (choice !== undefined && choice.arg === undefined) {
    for (const arm of choice.args ?? []) {
      const truth = fold(as(arm, 'CaseWhen')?.expr);
      if (truth === undefined) return undefined;
      if (truth === true) return fold(as(arm, 'CaseWhen')?.result);
    }
    return choice.defresult === undefined ? null : fold(choice.defresult);
  }
  return foldOperator(as(node, 'A_Expr'));
}

function foldOperator(body: A_Expr | undefined): Literal | undefined {
  if (body === undefined) return undefined;
  const left = fold(body.lexpr);
  if (body.kind === 'AEXPR_IN') {
    const items = (as(body.rexpr, 'List')?.items ?? []).map(fold);
    return left === undefined || items.some((entry) => entry === undefined) ? undefined : items.includes(left);
  }
  const right = fold(body.rexpr);
  if (right === undefined || (left === undefined && body.lexpr !== undefined)) return undefined;
  const name = names(body.name).pop();
  if (left === null || right === null) return null;
  if (body.kind === 'AEXPR_LIKE' && typeof right === 'string' && /^%+$/.test(right)) return true;
  if (body.kind !== 'AEXPR_OP' || left === undefined) return undefined;
  const [a, b] = typeof left === typeof right ? [left, right] : [Number(left), Number(right)];
  switch (name) {
    case '=':
      return a === b;
    case '<>':
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    case '+':
      return Number(a) + Number(b);
    case '-':
      return Number(a) - Number(b);
    case '*':
      return Number(a) * Number(b);
    case '/':
      return Number(b) === 0 ? undefined : Number(a) / Number(b);
    case '||':
      return `${String(left)}${String(right)}`;
    default:
      return undefined;
  }
}

function hasLiteral(root: unknown): boolean {
  let found = false;
  everyNode(root, (kind) => {
    if (kind === 'A_Const') found = true;
  });
  return found;
}

/** `x IS NULL OR x IS NOT NULL`, `x = 1 OR x <> 1`, `a OR NOT a`. */
function complementary(args: readonly Node[]): boolean {
  return args.some((one, at) => args.slice(at + 1).some((other) => opposite(one, other) || opposite(other, one)));
}

const opposites: Record<string, readonly string[]> = {
  '=': ['<>', '!='],
  '<': ['>='],
  '>': ['<='],
  '<=': ['>'],
  '>=': ['<'],
};

function opposite(one: Node, other: Node): boolean {
  const not = as(other, 'BoolExpr');
  if (not?.boolop === 'NOT_EXPR' && sameTree(one, not.args?.[0])) return true;
  const [nullOne, nullOther] = [as(one, 'NullTest'), as(other, 'NullTest')];
  if (nullOne !== undefined && nullOther !== undefined)
    return nullOne.nulltesttype !== nullOther.nulltesttype && sameTree(nullOne.arg, nullOther.arg);
  const [left, right] = [as(one, 'A_Expr'), as(other, 'A_Expr')];
  if (
    left === undefined ||
    right === undefined ||
    !sameTree(left.lexpr, right.lexpr) ||
    !sameTree(left.rexpr, right.rexpr)
  )
    return false;
  return opposites[names(left.name).pop() ?? '']?.includes(names(right.name).pop() ?? '') ?? false;
}

function words(node: Node, negated: boolean): string {
  const body = as(node, 'A_Expr');
  const literal = (part: Node | undefined): string => {
    const value = fold(part);
    const ref = as(part, 'ColumnRef');
    if (ref !== undefined) return names(ref.fields).join('.');
    return value === undefined || typeof value === 'string' ? '...' : String(value);
  };
  const shown =
    body?.kind === 'AEXPR_OP'
      ? `${literal(body.lexpr)} ${names(body.name).pop() ?? ''} ${literal(body.rexpr)}`
      : literal(node);
  return negated ? `NOT ${shown}` : shown;
}
