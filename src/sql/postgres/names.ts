// The names the server gives to output columns without an alias (parse_target.c, FigureColname).
import { as, kindOf, type Node, names } from './tree.ts';

const fallback = '?column?';

export function outputName(node: Node | undefined): string {
  return figure(node)?.name ?? fallback;
}

/** `strong` names are kept against the name of a cast's type. */
function figure(node: Node | undefined): { name: string; strong: boolean } | undefined {
  if (node === undefined) return undefined;
  const strong = (name: string) => ({ name, strong: true });
  switch (kindOf(node)) {
    case 'ColumnRef': {
      const fields = as(node, 'ColumnRef')?.fields ?? [];
      const last = names(fields.filter((field) => as(field, 'String') !== undefined)).pop();
      return last === undefined ? undefined : strong(last);
    }
    case 'A_Indirection': {
      const body = as(node, 'A_Indirection');
      const last = names((body?.indirection ?? []).filter((step) => as(step, 'String') !== undefined)).pop();
      return last === undefined ? figure(body?.arg) : strong(last);
    }
    case 'FuncCall':
      return strong(names(as(node, 'FuncCall')?.funcname).pop() ?? fallback);
    case 'A_Expr':
      return as(node, 'A_Expr')?.kind === 'AEXPR_NULLIF' ? strong('nullif') : undefined;
    case 'TypeCast': {
      const body = as(node, 'TypeCast');
      const inner = figure(body?.arg);
      if (inner?.strong === true) return inner;
      const name = names(body?.typeName?.names).pop();
      return name === undefined ? inner : { name, strong: false };
    }
    case 'CollateClause':
      return figure(as(node, 'CollateClause')?.arg);
    case 'GroupingFunc':
      return strong('grouping');
    case 'MergeSupportFunc':
      return strong('merge_action');
    case 'SubLink':
      return subLink(node);
    case 'CaseExpr': {
      const inner = figure(as(node, 'CaseExpr')?.defresult);
      return inner?.strong === true ? inner : { name: 'case', strong: false };
    }
    case 'A_ArrayExpr':
      return strong('array');
    case 'RowExpr':
      return strong('row');
    case 'CoalesceExpr':
      return strong('coalesce');
    case 'MinMaxExpr':
      return strong(as(node, 'MinMaxExpr')?.op === 'IS_GREATEST' ? 'greatest' : 'least');
    case 'SQLValueFunction':
      return strong((as(node, 'SQLValueFunction')?.op ?? '').replace(/^SVFOP_|_N$/g, '').toLowerCase());
    case 'XmlExpr':
      return xml(as(node, 'XmlExpr')?.op);
    case 'XmlSerialize':
      return strong('xmlserialize');
    case 'JsonParseExpr':
      return strong('json');
    case 'JsonScalarExpr':
      return strong('json_scalar');
    case 'JsonSerializeExpr':
      return strong('json_serialize');
    case 'JsonObjectConstructor':
      return strong('json_object');
    case 'JsonArrayConstructor':
    case 'JsonArrayQueryConstructor':
      return strong('json_array');
    case 'JsonObjectAgg':
      return strong('json_objectagg');
    case 'JsonArrayAgg':
      return strong('json_arrayagg');
    case 'JsonFuncExpr': {
      const op = as(node, 'JsonFuncExpr')?.op;
      return strong(op === 'JSON_EXISTS_OP' ? 'json_exists' : op === 'JSON_QUERY_OP' ? 'json_query' : 'json_value');
    }
    default:
      return undefined;
  }
}

function xml(op: string | undefined): { name: string; strong: boolean } | undefined {
  const known: Record<string, string> = {
    IS_XMLCONCAT: 'xmlconcat',
    IS_XMLELEMENT: 'xmlelement',
    IS_XMLFOREST: 'xmlforest',
    IS_XMLPARSE: 'xmlparse',
    IS_XMLPI: 'xmlpi',
    IS_XMLROOT: 'xmlroot',
  };
  const name = known[op ?? ''];
  return name === undefined ? undefined : { name, strong: true };
}

function subLink(node: Node): { name: string; strong: boolean } | undefined {
  const body = as(node, 'SubLink');
  switch (body?.subLinkType) {
    case 'EXISTS_SUBLINK':
      return { name: 'exists', strong: true };
    case 'ARRAY_SUBLINK':
      return { name: 'array', strong: true };
    case 'EXPR_SUBLINK': {
      // The name of the subquery's only column.
      let select = as(body.subselect, 'SelectStmt');
      while (select?.larg !== undefined) select = select.larg;
      if (select?.valuesLists !== undefined) return { name: 'column1', strong: true };
      const target = as(select?.targetList?.[0], 'ResTarget');
      if (target === undefined) return undefined;
      const name = target.name ?? outputName(target.val);
      return { name, strong: true };
    }
    default:
      return undefined;
  }
}
