// The server's own functions and tables: what is known of them without reading a body.

const list = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Take any text and give a text; they neither fail nor warn by the value they are given. */
export const textFunctions = list(`
  concat concat_ws upper ucase lower lcase left right substring substr mid replace trim ltrim rtrim reverse hex md5 sha sha1
  sha2 quote substring_index soundex insert json_quote json_object json_array json_arrayagg json_objectagg group_concat
  to_base64 charset collation lpad rpad uuid database schema user current_user session_user system_user version char
  weight_string elt space format_bytes make_set export_set bin oct connection_id`);

/** Take any text and give a number; as above. */
export const measuringFunctions = list(`
  length octet_length char_length character_length bit_length lengthb ascii ord crc32 strcmp locate instr position field find_in_set
  isnull coercibility json_valid is_ipv4 is_ipv6 is_uuid bit_count`);

/** Give the value of an argument, unchanged. */
export const passingFunctions = list('coalesce ifnull any_value nvl');

/** Numbers and dates in, numbers and dates out: a text is converted, with a warning or an error where it does not fit. */
export const numericFunctions = list(`
  abs sign floor ceil ceiling round truncate sqrt power pow exp ln log log2 log10 sin cos tan cot asin acos atan atan2
  radians degrees pi
  year month day dayofmonth dayofweek dayofyear hour minute second microsecond quarter week weekday weekofyear yearweek
  last_day date time timestamp unix_timestamp from_unixtime to_days to_seconds from_days datediff timestampdiff timestampadd
  timediff date_add date_sub adddate subdate addtime subtime extract time_to_sec sec_to_time makedate maketime add_months
  period_add period_diff convert_tz curdate current_date curtime current_time now current_timestamp localtime localtimestamp
  sysdate utc_date utc_time utc_timestamp row_count found_rows last_insert_id`);

/** Of these and the naming ones, which neither fail nor give NULL by the number or date they are given. */
export const totalFunctions = list(`
  abs sign floor ceil ceiling round truncate sin cos tan atan atan2 radians degrees pi
  year month day dayofmonth dayofweek dayofyear hour minute second microsecond quarter week weekday weekofyear yearweek
  last_day date time timestamp unix_timestamp to_days to_seconds datediff timestampdiff timediff extract time_to_sec
  curdate current_date curtime current_time now current_timestamp localtime localtimestamp sysdate utc_date utc_time utc_timestamp
  row_count found_rows last_insert_id date_format time_format monthname dayname format conv bin oct to_char`);

/** Arguments, by place, whose value decides whether these give NULL; -1: any. */
export const nullTelling: ReadonlyMap<string, number> = new Map([
  ['elt', 0],
  ['space', 0],
  ['lpad', 1],
  ['rpad', 1],
  ['char', -1],
  ['conv', -1],
  ['json_search', -1],
  ['json_array_intersect', -1],
  ['json_schema_valid', -1],
  ['json_schema_validation_report', -1],
]);

/** As numericFunctions, but with a text as the result. */
export const namingFunctions = list('date_format time_format monthname dayname format conv bin oct to_char');

/** Compare their arguments with one another. */
export const comparingFunctions = list('greatest least interval');

/** Read JSON: a text that is none is an error. */
export const jsonFunctions = list(`
  json_extract json_unquote json_value json_query json_keys json_length json_depth json_type json_search json_contains
  json_contains_path json_overlaps json_exists json_pretty json_detailed json_compact json_loose json_normalize json_set
  json_insert json_replace json_remove json_array_append json_array_insert json_merge json_merge_patch json_merge_preserve
  json_storage_size json_storage_free json_equals json_schema_valid json_schema_validation_report json_array_intersect
  json_object_filter_keys json_object_to_array json_key_value`);

/** Not the same for a whole statement even where their arguments are. */
export const changingFunctions = list(`
  rand uuid uuid_short uuid_v4 uuid_v7 sys_guid random_bytes sleep benchmark get_lock release_lock release_all_locks nextval lastval
  setval last_insert_id found_rows row_count rownum sysdate master_pos_wait source_pos_wait load_file`);

/** The server's native functions; every other name is a stored or loaded one. */
const nativeFunctions: ReadonlySet<string> = new Set([
  ...textFunctions,
  ...measuringFunctions,
  ...passingFunctions,
  ...numericFunctions,
  ...namingFunctions,
  ...comparingFunctions,
  ...jsonFunctions,
  ...changingFunctions,
  ...list(`
  aes_decrypt aes_encrypt avg bin_to_uuid bit_and bit_or bit_xor can_access_column can_access_database can_access_table
  can_access_user can_access_view cast chr column_add column_check column_create column_delete column_exists column_get
  column_json column_list compress convert count cume_dist current_role decode decode_histogram decode_oracle default
  dense_rank des_decrypt des_encrypt distance encode encrypt extractvalue first_value format_pico_time from_base64
  geometrycollection get_format gtid_subset gtid_subtract icu_version if inet6_aton inet6_ntoa inet_aton inet_ntoa
  binlog_gtid_pos master_gtid_wait wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid
  internal_table_rows is_free_lock is_ipv4_compat is_ipv4_mapped is_used_lock json_table kdf lag last_value lead linestring
  match max mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin median
  min mod multilinestring multipoint multipolygon name_const natural_sort_key nth_value ntile nullif nvl2 old_password
  password percent_rank percentile_cont percentile_disc point polygon procedure_analyse ps_current_thread_id ps_thread_id
  rank regexp_instr regexp_like regexp_replace regexp_substr repeat replace_oracle row_number sformat statement_digest
  statement_digest_text std stddev stddev_pop stddev_samp str_to_date string_to_vector sum to_number trim_oracle
  uncompress uncompressed_length unhex updatexml uuid_to_bin validate_password_strength value values var_pop var_samp
  variance vec_distance vec_distance_cosine vec_distance_euclidean vec_fromtext vec_totext vector_dim vector_to_string xor
  crc32c roles_graphml get_dd_column_privileges asin collect tis620 spider_bg_direct_sql spider_direct_sql`),
]);

/** Whether an unqualified name is the server's own function; geometry functions all compute from their arguments. */
export function isNative(name: string): boolean {
  return nativeFunctions.has(name) || name.startsWith('st_') || name.startsWith('mbr');
}

/** Functions that do something beyond computing: what for. */
export const opaqueFunctions: ReadonlyMap<string, string> = new Map([
  ['load_file', 'it reads a file of the server'],
  ['spider_direct_sql', 'it runs SQL given as text'],
  ['spider_bg_direct_sql', 'it runs SQL given as text'],
  ['procedure_analyse', 'it shows values of columns'],
  ['decode_histogram', 'it shows values of columns'],
]);

const texts = 'it shows the text of other statements';
const values = 'it shows values of tables it does not name';

/** Tables of the server that show other sessions' statements, samples of data, or secrets. */
export function sideDoorTable(schema: string, table: string): string | undefined {
  const name = table.toLowerCase();
  switch (schema.toLowerCase()) {
    case 'information_schema':
      if (
        /^(processlist|innodb_trx|innodb_locks|query_cache_info|profiling|metadata_lock_info|user_statistics)$/.test(
          name,
        )
      )
        return texts;
      if (
        /^(column_statistics|optimizer_trace|user_variables|innodb_ft_\w+|innodb_buffer_page\w*|innodb_sys_foreign_data)$/.test(
          name,
        )
      )
        return values;
      return undefined;
    case 'performance_schema':
      return /statement|processlist|threads|variables|prepared|data_lock|error_log|account|session_connect|history|digest/.test(
        name,
      )
        ? texts
        : undefined;
    case 'sys':
      return texts;
    case 'mysql':
      return /^(time_zone\w*|help_\w+|plugin|innodb_table_stats|gtid_slave_pos|transaction_registry)$/.test(name)
        ? undefined
        : 'it holds passwords, statements or samples of values';
    default:
      return undefined;
  }
}
