// What the server's own functions do beyond computing from their arguments. Functions of pg_catalog that stand in none of
// these tables are taken to compute only; test/sql checks the tables against the volatile functions of a real server.
import type { Flow, Verb } from '../reading.ts';

export interface Effect {
  readonly verb?: Verb;
  /** Cannot be seen through: runs SQL text, or hands out what its arguments do not say. */
  readonly opaque?: string;
  /** Shows values of tables it does not name. */
  readonly sideDoor?: string;
  /** Its arguments end up there. */
  readonly into?: Extract<Flow['into'], { kind: 'place' }>['what'];
  /** Changes a setting by name. */
  readonly setting?: boolean;
}

const sqlText = 'runs SQL given as text or names';
const files = 'reads files of the server';
const largeObjects = 'reads or writes large objects';
const logical = 'reads the stream of changes of all tables';
const others = 'shows statements of other sessions';

const groups: readonly (readonly [Effect, string])[] = [
  [
    { opaque: sqlText },
    `query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema table_to_xml table_to_xmlschema
     table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema
     database_to_xml_and_xmlschema ts_stat ts_rewrite`,
  ],
  [
    { opaque: files, verb: 'file' },
    `pg_read_file pg_read_file_old pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir
     pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_stat_file pg_current_logfile pg_file_write pg_file_sync
     pg_file_rename pg_file_unlink pg_logdir_ls pg_show_all_file_settings pg_hba_file_rules pg_ident_file_mappings`,
  ],
  [{ opaque: largeObjects, verb: 'file', into: 'file' }, 'lo_import lo_export'],
  [
    { opaque: largeObjects, verb: 'admin', into: 'large-object' },
    'lo_get lo_put lo_from_bytea lo_open lo_close loread lowrite lo_creat lo_create lo_unlink lo_lseek lo_lseek64 lo_tell lo_tell64 lo_truncate lo_truncate64',
  ],
  [
    { opaque: logical, verb: 'admin' },
    `pg_logical_slot_get_changes pg_logical_slot_peek_changes pg_logical_slot_get_binary_changes pg_logical_slot_peek_binary_changes
     pg_create_logical_replication_slot pg_create_physical_replication_slot pg_copy_logical_replication_slot pg_copy_physical_replication_slot
     pg_drop_replication_slot pg_replication_slot_advance pg_sync_replication_slots pg_get_replication_slots pg_wal_replay_pause pg_wal_replay_resume
     pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_advance pg_replication_origin_session_setup
     pg_replication_origin_session_reset pg_replication_origin_xact_setup pg_replication_origin_xact_reset pg_available_wal_summaries
     pg_wal_summary_contents pg_get_wal_summarizer_state`,
  ],
  [{ verb: 'admin', into: 'unknown' }, 'pg_logical_emit_message'],
  [{ verb: 'notify', into: 'notify' }, 'pg_notify'],
  [{ verb: 'kill' }, 'pg_terminate_backend pg_cancel_backend'],
  [
    { verb: 'admin' },
    `pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old pg_switch_wal pg_create_restore_point pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup
     pg_promote pg_export_snapshot pg_import_system_collations pg_log_backend_memory_contexts pg_log_standby_snapshot brin_summarize_new_values
     brin_summarize_range brin_desummarize_range gin_clean_pending_list pg_stat_reset pg_stat_reset_shared pg_stat_reset_single_table_counters
     pg_stat_reset_single_function_counters pg_stat_reset_slru pg_stat_reset_replication_slot pg_stat_reset_subscription_stats
     pg_stat_reset_backend_stats pg_stat_clear_snapshot pg_stat_force_next_flush pg_set_relation_stats pg_clear_relation_stats pg_set_attribute_stats
     pg_clear_attribute_stats pg_restore_relation_stats pg_restore_attribute_stats pg_restore_extended_stats binary_upgrade_set_next_pg_type_oid
     binary_upgrade_add_sub_rel_state binary_upgrade_create_empty_extension binary_upgrade_logical_slot_has_caught_up
     binary_upgrade_replorigin_advance binary_upgrade_set_missing_value binary_upgrade_set_next_array_pg_type_oid
     binary_upgrade_set_next_heap_pg_class_oid binary_upgrade_set_next_heap_relfilenode binary_upgrade_set_next_index_pg_class_oid
     binary_upgrade_set_next_index_relfilenode binary_upgrade_set_next_multirange_array_pg_type_oid
     binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid binary_upgrade_set_next_pg_enum_oid
     binary_upgrade_set_next_pg_tablespace_oid binary_upgrade_set_next_toast_pg_class_oid binary_upgrade_set_next_toast_relfilenode
     binary_upgrade_set_record_init_privs
     pg_nextoid pg_stop_making_pinned_objects pg_extension_config_dump pg_get_object_address_internal pg_read_dictionary pg_current_xact_id txid_current`,
  ],
  [{ verb: 'nextval' }, 'nextval setval'],
  [
    { verb: 'lock' },
    `pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
     pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all`,
  ],
  [{ verb: 'set', setting: true, into: 'setting' }, 'set_config'],
  [{ sideDoor: others }, 'pg_stat_get_activity pg_stat_get_backend_activity pg_stat_get_progress_info'],
  [{ sideDoor: 'holds values of columns' }, 'pg_mcv_list_items pg_stats_ext_mcvlist_items'],
];

export const effects: ReadonlyMap<string, Effect> = new Map(
  groups.flatMap(([effect, functions]) =>
    functions
      .trim()
      .split(/\s+/)
      .map((name) => [name, effect] as const),
  ),
);
/** Volatile functions that only report or compute: the clock, chance, the state of the server without values of tables. */
export const harmless: ReadonlySet<string> = new Set(
  `pg_current_xact_id txid_current txid_status pg_xact_status pg_read_dictionary pg_get_object_address_internal amvalidate
   random random_normal setseed array_sample array_shuffle gen_random_uuid uuidv4 uuidv7 clock_timestamp timeofday
   pg_sleep pg_sleep_for pg_sleep_until currval lastval currtid2 current_query pg_sequence_last_value pg_get_sequence_data
   pg_blocking_pids pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked pg_lock_status pg_prepared_xact
   pg_notification_queue_usage pg_get_aios pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members
   pg_get_shmem_allocations pg_get_shmem_allocations_numa pg_get_wait_events pg_get_wal_resource_managers pg_get_wal_replay_pause_state
   pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn
   pg_last_xact_replay_timestamp pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn
   pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system pg_partition_ancestors pg_partition_tree
   pg_collation_actual_version pg_database_collation_actual_version pg_database_size pg_indexes_size pg_relation_size pg_table_size
   pg_tablespace_size pg_total_relation_size pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
   pg_replication_origin_progress pg_replication_origin_session_is_setup pg_replication_origin_session_progress
   pg_show_replication_origin_status pg_stat_have_stats pg_stat_get_backend_io pg_stat_get_backend_wal pg_stat_get_io
   pg_stat_get_recovery_prefetch pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
   pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted
   pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
   pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated
   plpgsql_call_handler plpgsql_validator`
    .trim()
    .split(/\s+/),
);
export function effectOf(name: string): Effect | undefined {
  return harmless.has(name) ? undefined : effects.get(name);
}

/**
 * Functions that neither fail, nor give NULL, nor take their time depending on their arguments' values. A column that meets any
 * other function is an `argument`: whether the call fails or gives NULL, or how long it takes, would tell of its value.
 */
export const total: ReadonlySet<string> = new Set(
  `upper lower initcap length char_length character_length octet_length bit_length md5 sha224 sha256 sha384 sha512 reverse btrim ltrim rtrim trim concat
   concat_ws replace translate strpos position starts_with split_part left right lpad rpad substr substring overlay ascii quote_literal quote_ident
   quote_nullable to_hex textcat string_to_array array_to_string regexp_replace regexp_count regexp_like regexp_instr    format casefold normalize
   encode convert_to hashtext hashtextextended crc32 crc32c
   date_part extract age date_trunc to_char isfinite justify_days justify_hours justify_interval timezone now date
   abs ceil ceiling floor round trunc sign
   num_nulls num_nonnulls
   row_to_json to_json to_jsonb json_build_object json_build_array jsonb_build_object jsonb_build_array json_strip_nulls jsonb_strip_nulls
   jsonb_pretty json_typeof jsonb_typeof json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text jsonb_set jsonb_set_lax jsonb_insert
   jsonb_concat hstore    array_append array_prepend array_cat array_positions array_remove array_replace    cardinality array_to_json trim_array
   pg_typeof pg_column_size xmlelement
   count sum avg string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg json_agg_strict jsonb_agg_strict bool_and bool_or every
   any_value stddev stddev_pop stddev_samp variance var_pop var_samp covar_pop covar_samp    min max xmlagg bit_and bit_or bit_xor
   first_value last_value nth_value lag lead row_number rank dense_rank percent_rank cume_dist ntile
   mode percentile_cont percentile_disc
   text varchar bpchar name int8 float8 numeric
   host family masklen lower_inc upper_inc isempty lower_inf upper_inf
   to_tsvector
   digest hmac similarity word_similarity soundex unaccent`
    .trim()
    .split(/\s+/),
);
/** Of these only the first argument may be a column's value: a bad length, count or pattern fails. */
export const firstOnly: ReadonlySet<string> = new Set([
  'substr',
  'substring',
  'overlay',
  'split_part',
  'regexp_replace',
  'regexp_count',
  'regexp_like',
  'regexp_instr',
  'lpad',
  'rpad',
  'encode',
  'convert_to',
  'jsonb_set',
  'jsonb_set_lax',
  'jsonb_insert',
  'json_extract_path',
  'json_extract_path_text',
  'jsonb_extract_path',
  'jsonb_extract_path_text',
  'nth_value',
  'round',
  'trunc',
  'digest',
  'lag',
  'lead',
]);
/** Of these the first argument must be no column's value: a field, a zone, a format, a position. */
export const lastOnly: ReadonlySet<string> = new Set([
  'date_part',
  'extract',
  'date_trunc',
  'timezone',
  'format',
  'ntile',
]);
/** Casts in the form of functions fail as casts do. */
export const castLike: ReadonlySet<string> = new Set(['int8', 'float8', 'numeric', 'date']);

/**
 * Of these the first argument must be a document or an array as it is stored: whether they fail or find something follows from its
 * structure, which a computed one is given by the value (`string_to_array(ssn, '912')`).
 */
export const storedOnly: ReadonlySet<string> = new Set([
  'json_extract_path',
  'json_extract_path_text',
  'jsonb_extract_path',
  'jsonb_extract_path_text',
  'jsonb_set',
  'jsonb_set_lax',
  'jsonb_insert',
  'array_append',
  'array_prepend',
  'array_cat',
  'array_positions',
  'array_remove',
  'array_replace',
  'trim_array',
]);

/** Stable functions whose value holds for a whole statement. Others, such as current_setting, may move from row to row. */
export const steady: ReadonlySet<string> = new Set(
  `now transaction_timestamp statement_timestamp current_user session_user current_schema current_database current_catalog
   to_char to_date to_timestamp timezone date_trunc date_part extract age make_timestamptz timestamptz timestamp date time format concat
   concat_ws quote_literal quote_nullable to_json to_jsonb json_build_object json_build_array jsonb_build_object jsonb_build_array
   array_to_string row_to_json array_to_json to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery text
   pg_typeof inet_client_addr version`
    .trim()
    .split(/\s+/),
);

/** Window and aggregate functions that hand out one of the values unchanged. */
export const copying: ReadonlySet<string> = new Set([
  'first_value',
  'last_value',
  'nth_value',
  'lag',
  'lead',
  'any_value',
]);

/** Relations that show values of tables they do not name, or secrets of the server. */
export const sideDoorRelations: ReadonlyMap<string, string> = new Map([
  ['pg_stats', 'holds most common values and histogram bounds of columns'],
  ['pg_statistic', 'holds most common values and histogram bounds of columns'],
  ['pg_stats_ext', 'holds most common values of columns'],
  ['pg_stats_ext_exprs', 'holds most common values of expressions'],
  ['pg_statistic_ext_data', 'holds most common values of columns'],
  ['pg_stat_activity', others],
  ['pg_stat_statements', others],
  ['pg_stat_statements_info', others],
  ['pg_prepared_statements', 'shows texts of statements'],
  ['pg_cursors', 'shows texts of statements'],
  ['pg_largeobject', 'holds the data of large objects'],
  ['pg_authid', 'holds password verifiers'],
  ['pg_shadow', 'holds password verifiers'],
  ['pg_user_mapping', 'holds credentials of other servers'],
  ['pg_user_mappings', 'holds credentials of other servers'],
  ['user_mapping_options', 'holds credentials of other servers'],
  ['_pg_user_mappings', 'holds credentials of other servers'],
  ['pg_subscription', 'holds credentials of other servers'],
  ['pg_hba_file_rules', 'shows the rules of login'],
  ['pg_ident_file_mappings', 'shows the rules of login'],
  ['pg_file_settings', 'shows configuration files'],
  ['pg_replication_slots', 'shows the stream of changes'],
]);
