"""The relations of pg_catalog that can be asked, and their columns, as PostgreSQL 16 has them.

Source: pg_class and pg_attribute of a PostgreSQL 16 server. A relation is a line `name kind oid`
and its columns as `name:type`, with `!` where PostgreSQL declares NOT NULL; `read_relations` takes
that apart.
"""

from __future__ import annotations

__all__ = ["MISSING", "RELATIONS"]

RELATIONS = """
pg_am r 2601
    oid:oid! amname:name! amhandler:regproc! amtype:char!
pg_attrdef r 2604
    oid:oid! adrelid:oid! adnum:int2! adbin:pg_node_tree!
pg_attribute r 1249
    attrelid:oid! attname:name! atttypid:oid! attlen:int2! attnum:int2! attcacheoff:int4!
    atttypmod:int4! attndims:int2! attbyval:bool! attalign:char! attstorage:char!
    attcompression:char! attnotnull:bool! atthasdef:bool! atthasmissing:bool!
    attidentity:char! attgenerated:char! attisdropped:bool! attislocal:bool! attinhcount:int2!
    attstattarget:int2! attcollation:oid! attacl:_aclitem attoptions:_text attfdwoptions:_text
    attmissingval:anyarray
pg_auth_members r 1261
    oid:oid! roleid:oid! member:oid! grantor:oid! admin_option:bool! inherit_option:bool!
    set_option:bool!
pg_authid r 1260
    oid:oid! rolname:name! rolsuper:bool! rolinherit:bool! rolcreaterole:bool!
    rolcreatedb:bool! rolcanlogin:bool! rolreplication:bool! rolbypassrls:bool!
    rolconnlimit:int4! rolpassword:text rolvaliduntil:timestamptz
pg_available_extensions v 12081
    name:name default_version:text installed_version:text comment:text
pg_available_extension_versions v 12085
    name:name version:text installed:bool superuser:bool trusted:bool relocatable:bool
    schema:name requires:_name comment:text
pg_class r 1259
    oid:oid! relname:name! relnamespace:oid! reltype:oid! reloftype:oid! relowner:oid!
    relam:oid! relfilenode:oid! reltablespace:oid! relpages:int4! reltuples:float4!
    relallvisible:int4! reltoastrelid:oid! relhasindex:bool! relisshared:bool!
    relpersistence:char! relkind:char! relnatts:int2! relchecks:int2! relhasrules:bool!
    relhastriggers:bool! relhassubclass:bool! relrowsecurity:bool! relforcerowsecurity:bool!
    relispopulated:bool! relreplident:char! relispartition:bool! relrewrite:oid!
    relfrozenxid:xid! relminmxid:xid! relacl:_aclitem reloptions:_text
    relpartbound:pg_node_tree
pg_collation r 3456
    oid:oid! collname:name! collnamespace:oid! collowner:oid! collprovider:char!
    collisdeterministic:bool! collencoding:int4! collcollate:text collctype:text
    colliculocale:text collicurules:text collversion:text
pg_constraint r 2606
    oid:oid! conname:name! connamespace:oid! contype:char! condeferrable:bool!
    condeferred:bool! convalidated:bool! conrelid:oid! contypid:oid! conindid:oid!
    conparentid:oid! confrelid:oid! confupdtype:char! confdeltype:char! confmatchtype:char!
    conislocal:bool! coninhcount:int2! connoinherit:bool! conkey:_int2 confkey:_int2
    conpfeqop:_oid conppeqop:_oid conffeqop:_oid confdelsetcols:_int2 conexclop:_oid
    conbin:pg_node_tree
pg_database r 1262
    oid:oid! datname:name! datdba:oid! encoding:int4! datlocprovider:char! datistemplate:bool!
    datallowconn:bool! datconnlimit:int4! datfrozenxid:xid! datminmxid:xid! dattablespace:oid!
    datcollate:text! datctype:text! daticulocale:text daticurules:text datcollversion:text
    datacl:_aclitem
pg_db_role_setting r 2964
    setdatabase:oid! setrole:oid! setconfig:_text
pg_default_acl r 826
    oid:oid! defaclrole:oid! defaclnamespace:oid! defaclobjtype:char! defaclacl:_aclitem!
pg_depend r 2608
    classid:oid! objid:oid! objsubid:int4! refclassid:oid! refobjid:oid! refobjsubid:int4!
    deptype:char!
pg_description r 2609
    objoid:oid! classoid:oid! objsubid:int4! description:text!
pg_enum r 3501
    oid:oid! enumtypid:oid! enumsortorder:float4! enumlabel:name!
pg_event_trigger r 3466
    oid:oid! evtname:name! evtevent:name! evtowner:oid! evtfoid:oid! evtenabled:char!
    evttags:_text
pg_extension r 3079
    oid:oid! extname:name! extowner:oid! extnamespace:oid! extrelocatable:bool!
    extversion:text! extconfig:_oid extcondition:_text
pg_foreign_data_wrapper r 2328
    oid:oid! fdwname:name! fdwowner:oid! fdwhandler:oid! fdwvalidator:oid! fdwacl:_aclitem
    fdwoptions:_text
pg_foreign_server r 1417
    oid:oid! srvname:name! srvowner:oid! srvfdw:oid! srvtype:text srvversion:text
    srvacl:_aclitem srvoptions:_text
pg_foreign_table r 3118
    ftrelid:oid! ftserver:oid! ftoptions:_text
pg_group v 12010
    groname:name grosysid:oid grolist:_oid
pg_index r 2610
    indexrelid:oid! indrelid:oid! indnatts:int2! indnkeyatts:int2! indisunique:bool!
    indnullsnotdistinct:bool! indisprimary:bool! indisexclusion:bool! indimmediate:bool!
    indisclustered:bool! indisvalid:bool! indcheckxmin:bool! indisready:bool! indislive:bool!
    indisreplident:bool! indkey:int2vector! indcollation:oidvector! indclass:oidvector!
    indoption:int2vector! indexprs:pg_node_tree indpred:pg_node_tree
pg_indexes v 12043
    schemaname:name tablename:name indexname:name tablespace:name indexdef:text
pg_inherits r 2611
    inhrelid:oid! inhparent:oid! inhseqno:int4! inhdetachpending:bool!
pg_language r 2612
    oid:oid! lanname:name! lanowner:oid! lanispl:bool! lanpltrusted:bool! lanplcallfoid:oid!
    laninline:oid! lanvalidator:oid! lanacl:_aclitem
pg_locks v 12073
    locktype:text database:oid relation:oid page:int4 tuple:int2 virtualxid:text
    transactionid:xid classid:oid objid:oid objsubid:int2 virtualtransaction:text pid:int4
    mode:text granted:bool fastpath:bool waitstart:timestamptz
pg_matviews v 12038
    schemaname:name matviewname:name matviewowner:name tablespace:name hasindexes:bool
    ispopulated:bool definition:text
pg_namespace r 2615
    oid:oid! nspname:name! nspowner:oid! nspacl:_aclitem
pg_opclass r 2616
    oid:oid! opcmethod:oid! opcname:name! opcnamespace:oid! opcowner:oid! opcfamily:oid!
    opcintype:oid! opcdefault:bool! opckeytype:oid!
pg_partitioned_table r 3350
    partrelid:oid! partstrat:char! partnatts:int2! partdefid:oid! partattrs:int2vector!
    partclass:oidvector! partcollation:oidvector! partexprs:pg_node_tree
pg_policies v 12018
    schemaname:name tablename:name policyname:name permissive:text roles:_name cmd:text
    qual:text with_check:text
pg_policy r 3256
    oid:oid! polname:name! polrelid:oid! polcmd:char! polpermissive:bool! polroles:_oid!
    polqual:pg_node_tree polwithcheck:pg_node_tree
pg_prepared_xacts v 12090
    transaction:xid gid:text prepared:timestamptz owner:name database:name
pg_proc r 1255
    oid:oid! proname:name! pronamespace:oid! proowner:oid! prolang:oid! procost:float4!
    prorows:float4! provariadic:oid! prosupport:regproc! prokind:char! prosecdef:bool!
    proleakproof:bool! proisstrict:bool! proretset:bool! provolatile:char! proparallel:char!
    pronargs:int2! pronargdefaults:int2! prorettype:oid! proargtypes:oidvector!
    proallargtypes:_oid proargmodes:_char proargnames:_text proargdefaults:pg_node_tree
    protrftypes:_oid prosrc:text! probin:text prosqlbody:pg_node_tree proconfig:_text
    proacl:_aclitem
pg_publication r 6104
    oid:oid! pubname:name! pubowner:oid! puballtables:bool! pubinsert:bool! pubupdate:bool!
    pubdelete:bool! pubtruncate:bool! pubviaroot:bool!
pg_publication_namespace r 6237
    oid:oid! pnpubid:oid! pnnspid:oid!
pg_publication_rel r 6106
    oid:oid! prpubid:oid! prrelid:oid! prqual:pg_node_tree prattrs:int2vector
pg_publication_tables v 12068
    pubname:name schemaname:name tablename:name attnames:_name rowfilter:text
pg_range r 3541
    rngtypid:oid! rngsubtype:oid! rngmultitypid:oid! rngcollation:oid! rngsubopc:oid!
    rngcanonical:regproc! rngsubdiff:regproc!
pg_replication_slots v 12257
    slot_name:name plugin:name slot_type:text datoid:oid database:name temporary:bool
    active:bool active_pid:int4 xmin:xid catalog_xmin:xid restart_lsn:pg_lsn
    confirmed_flush_lsn:pg_lsn wal_status:text safe_wal_size:int8 two_phase:bool
    conflicting:bool
pg_rewrite r 2618
    oid:oid! rulename:name! ev_class:oid! ev_type:char! ev_enabled:char! is_instead:bool!
    ev_qual:pg_node_tree! ev_action:pg_node_tree!
pg_roles v 12000
    rolname:name rolsuper:bool rolinherit:bool rolcreaterole:bool rolcreatedb:bool
    rolcanlogin:bool rolreplication:bool rolconnlimit:int4 rolpassword:text
    rolvaliduntil:timestamptz rolbypassrls:bool rolconfig:_text oid:oid
pg_rules v 12023
    schemaname:name tablename:name rulename:name definition:text
pg_seclabel r 3596
    objoid:oid! classoid:oid! objsubid:int4! provider:text! label:text!
pg_seclabels v 12099
    objoid:oid classoid:oid objsubid:int4 objtype:text objnamespace:oid objname:text
    provider:text label:text
pg_sequence r 2224
    seqrelid:oid! seqtypid:oid! seqstart:int8! seqincrement:int8! seqmax:int8! seqmin:int8!
    seqcache:int8! seqcycle:bool!
pg_sequences v 12048
    schemaname:name sequencename:name sequenceowner:name data_type:regtype start_value:int8
    min_value:int8 max_value:int8 increment_by:int8 cycle:bool cache_size:int8 last_value:int8
pg_settings v 12104
    name:text setting:text unit:text category:text short_desc:text extra_desc:text
    context:text vartype:text source:text min_val:text max_val:text enumvals:_text
    boot_val:text reset_val:text sourcefile:text sourceline:int4 pending_restart:bool
pg_shadow v 12005
    usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool usebypassrls:bool
    passwd:text valuntil:timestamptz useconfig:_text
pg_shdepend r 1214
    dbid:oid! classid:oid! objid:oid! objsubid:int4! refclassid:oid! refobjid:oid!
    deptype:char!
pg_shdescription r 2396
    objoid:oid! classoid:oid! description:text!
pg_stat_activity v 12222
    datid:oid datname:name pid:int4 leader_pid:int4 usesysid:oid usename:name
    application_name:text client_addr:inet client_hostname:text client_port:int4
    backend_start:timestamptz xact_start:timestamptz query_start:timestamptz
    state_change:timestamptz wait_event_type:text wait_event:text state:text backend_xid:xid
    backend_xmin:xid query_id:int8 query:text backend_type:text
pg_stat_all_indexes v 12183
    relid:oid indexrelid:oid schemaname:name relname:name indexrelname:name idx_scan:int8
    last_idx_scan:timestamptz idx_tup_read:int8 idx_tup_fetch:int8
pg_stat_all_tables v 12142
    relid:oid schemaname:name relname:name seq_scan:int8 last_seq_scan:timestamptz
    seq_tup_read:int8 idx_scan:int8 last_idx_scan:timestamptz idx_tup_fetch:int8
    n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_tup_hot_upd:int8 n_tup_newpage_upd:int8
    n_live_tup:int8 n_dead_tup:int8 n_mod_since_analyze:int8 n_ins_since_vacuum:int8
    last_vacuum:timestamptz last_autovacuum:timestamptz last_analyze:timestamptz
    last_autoanalyze:timestamptz vacuum_count:int8 autovacuum_count:int8 analyze_count:int8
    autoanalyze_count:int8
pg_stat_user_indexes v 12192
    relid:oid indexrelid:oid schemaname:name relname:name indexrelname:name idx_scan:int8
    last_idx_scan:timestamptz idx_tup_read:int8 idx_tup_fetch:int8
pg_stat_user_tables v 12161
    relid:oid schemaname:name relname:name seq_scan:int8 last_seq_scan:timestamptz
    seq_tup_read:int8 idx_scan:int8 last_idx_scan:timestamptz idx_tup_fetch:int8
    n_tup_ins:int8 n_tup_upd:int8 n_tup_del:int8 n_tup_hot_upd:int8 n_tup_newpage_upd:int8
    n_live_tup:int8 n_dead_tup:int8 n_mod_since_analyze:int8 n_ins_since_vacuum:int8
    last_vacuum:timestamptz last_autovacuum:timestamptz last_analyze:timestamptz
    last_autoanalyze:timestamptz vacuum_count:int8 autovacuum_count:int8 analyze_count:int8
    autoanalyze_count:int8
pg_stat_replication v 12227
    pid:int4 usesysid:oid usename:name application_name:text client_addr:inet
    client_hostname:text client_port:int4 backend_start:timestamptz backend_xmin:xid
    state:text sent_lsn:pg_lsn write_lsn:pg_lsn flush_lsn:pg_lsn replay_lsn:pg_lsn
    write_lag:interval flush_lag:interval replay_lag:interval sync_priority:int4
    sync_state:text reply_time:timestamptz
pg_statistic_ext r 3381
    oid:oid! stxrelid:oid! stxname:name! stxnamespace:oid! stxowner:oid! stxstattarget:int4!
    stxkeys:int2vector! stxkind:_char! stxexprs:pg_node_tree
pg_subscription r 6100
    oid:oid! subdbid:oid! subskiplsn:pg_lsn! subname:name! subowner:oid! subenabled:bool!
    subbinary:bool! substream:char! subtwophasestate:char! subdisableonerr:bool!
    subpasswordrequired:bool! subrunasowner:bool! subconninfo:text! subslotname:name
    subsynccommit:text! subpublications:_text! suborigin:text
pg_tables v 12033
    schemaname:name tablename:name tableowner:name tablespace:name hasindexes:bool
    hasrules:bool hastriggers:bool rowsecurity:bool
pg_tablespace r 1213
    oid:oid! spcname:name! spcowner:oid! spcacl:_aclitem spcoptions:_text
pg_trigger r 2620
    oid:oid! tgrelid:oid! tgparentid:oid! tgname:name! tgfoid:oid! tgtype:int2!
    tgenabled:char! tgisinternal:bool! tgconstrrelid:oid! tgconstrindid:oid! tgconstraint:oid!
    tgdeferrable:bool! tginitdeferred:bool! tgnargs:int2! tgattr:int2vector! tgargs:bytea!
    tgqual:pg_node_tree tgoldtable:name tgnewtable:name
pg_type r 1247
    oid:oid! typname:name! typnamespace:oid! typowner:oid! typlen:int2! typbyval:bool!
    typtype:char! typcategory:char! typispreferred:bool! typisdefined:bool! typdelim:char!
    typrelid:oid! typsubscript:regproc! typelem:oid! typarray:oid! typinput:regproc!
    typoutput:regproc! typreceive:regproc! typsend:regproc! typmodin:regproc!
    typmodout:regproc! typanalyze:regproc! typalign:char! typstorage:char! typnotnull:bool!
    typbasetype:oid! typtypmod:int4! typndims:int4! typcollation:oid!
    typdefaultbin:pg_node_tree typdefault:text typacl:_aclitem
pg_user v 12014
    usename:name usesysid:oid usecreatedb:bool usesuper:bool userepl:bool usebypassrls:bool
    passwd:text valuntil:timestamptz useconfig:_text
pg_user_mapping r 1418
    oid:oid! umuser:oid! umserver:oid! umoptions:_text
pg_user_mappings v 12331
    umid:oid srvid:oid srvname:name umuser:oid usename:name umoptions:_text
pg_views v 12028
    schemaname:name viewname:name viewowner:name definition:text
"""

# Relations of PostgreSQL that describe what there is nothing to say of here yet.
MISSING = frozenset(
    """
    pg_aggregate pg_amop pg_amproc pg_backend_memory_contexts pg_cast pg_config pg_conversion
    pg_cursors pg_file_settings pg_hba_file_rules pg_ident_file_mappings pg_init_privs
    pg_largeobject pg_largeobject_metadata pg_operator pg_opfamily pg_parameter_acl
    pg_prepared_statements pg_replication_origin pg_replication_origin_status
    pg_shmem_allocations pg_shseclabel pg_stat_archiver pg_stat_bgwriter pg_stat_database
    pg_stat_database_conflicts pg_stat_gssapi pg_stat_io pg_stat_progress_analyze
    pg_stat_progress_basebackup pg_stat_progress_cluster pg_stat_progress_copy
    pg_stat_progress_create_index pg_stat_progress_vacuum pg_stat_recovery_prefetch
    pg_stat_replication_slots pg_stat_slru pg_stat_ssl pg_stat_subscription
    pg_stat_subscription_stats pg_stat_sys_indexes pg_stat_sys_tables pg_stat_user_functions
    pg_stat_wal pg_stat_wal_receiver pg_stat_xact_all_tables pg_stat_xact_sys_tables
    pg_stat_xact_user_functions pg_stat_xact_user_tables pg_statio_all_indexes
    pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes pg_statio_sys_sequences
    pg_statio_sys_tables pg_statio_user_indexes pg_statio_user_sequences pg_statio_user_tables
    pg_statistic pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs
    pg_subscription_rel pg_timezone_abbrevs pg_timezone_names pg_transform pg_ts_config
    pg_ts_config_map pg_ts_dict pg_ts_parser pg_ts_template
    """.split()  # noqa: SIM905
)
