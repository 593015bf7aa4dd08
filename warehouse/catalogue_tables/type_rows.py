"""PostgreSQL's own types with their OIDs: what pg_type has of them.

Source: pg_type of a PostgreSQL 16 server. Types that only range types need are left out, for there
are none here, and a few internal ones. A type is a line and those indented below it:

    name oid length by-value kind category preferred delimiter element array align storage
        collation display
    functions `name:oid` for input, output, receive, send, typmod input and output, `-` for none

A blank in the display name (what `format_type` says) stands as `~`. The array types follow from
their elements and have no lines.
"""

from __future__ import annotations

__all__ = ["ARRAY_FUNCTIONS", "TYPE_ROWS"]

ARRAY_FUNCTIONS = "array_in:750 array_out:751 array_recv:2400 array_send:2401"

TYPE_ROWS = """
bool 16 1 t b B t , 0 1000 c p 0 boolean
    boolin:1242 boolout:1243 boolrecv:2436 boolsend:2437
bytea 17 -1 f b U f , 0 1001 i x 0 bytea
    byteain:1244 byteaout:31 bytearecv:2412 byteasend:2413
char 18 1 t b Z f , 0 1002 c p 0 "char"
    charin:1245 charout:33 charrecv:2434 charsend:2435
name 19 64 f b S f , 18 1003 c p 950 name
    namein:34 nameout:35 namerecv:2422 namesend:2423
int8 20 8 t b N f , 0 1016 d p 0 bigint
    int8in:460 int8out:461 int8recv:2408 int8send:2409
int2 21 2 t b N f , 0 1005 s p 0 smallint
    int2in:38 int2out:39 int2recv:2404 int2send:2405
int2vector 22 -1 f b A f , 21 1006 i p 0 int2vector
    int2vectorin:40 int2vectorout:41 int2vectorrecv:2410 int2vectorsend:2411
int4 23 4 t b N f , 0 1007 i p 0 integer
    int4in:42 int4out:43 int4recv:2406 int4send:2407
regproc 24 4 t b N f , 0 1008 i p 0 regproc
    regprocin:44 regprocout:45 regprocrecv:2444 regprocsend:2445
text 25 -1 f b S t , 0 1009 i x 100 text
    textin:46 textout:47 textrecv:2414 textsend:2415
oid 26 4 t b N t , 0 1028 i p 0 oid
    oidin:1798 oidout:1799 oidrecv:2418 oidsend:2419
tid 27 6 f b U f , 0 1010 s p 0 tid
    tidin:48 tidout:49 tidrecv:2438 tidsend:2439
xid 28 4 t b U f , 0 1011 i p 0 xid
    xidin:50 xidout:51 xidrecv:2440 xidsend:2441
cid 29 4 t b U f , 0 1012 i p 0 cid
    cidin:52 cidout:53 cidrecv:2442 cidsend:2443
oidvector 30 -1 f b A f , 26 1013 i p 0 oidvector
    oidvectorin:54 oidvectorout:55 oidvectorrecv:2420 oidvectorsend:2421
json 114 -1 f b U f , 0 199 i x 0 json
    json_in:321 json_out:322 json_recv:323 json_send:324
xml 142 -1 f b U f , 0 143 i x 0 xml
    xml_in:2893 xml_out:2894 xml_recv:2898 xml_send:2899
pg_node_tree 194 -1 f b Z f , 0 0 i x 100 pg_node_tree
    pg_node_tree_in:195 pg_node_tree_out:196 pg_node_tree_recv:197 pg_node_tree_send:198
point 600 16 f b G f , 701 1017 d p 0 point
    point_in:117 point_out:118 point_recv:2428 point_send:2429
lseg 601 32 f b G f , 600 1018 d p 0 lseg
    lseg_in:119 lseg_out:120 lseg_recv:2480 lseg_send:2481
path 602 -1 f b G f , 0 1019 d x 0 path
    path_in:121 path_out:122 path_recv:2482 path_send:2483
box 603 32 f b G f ; 600 1020 d p 0 box
    box_in:123 box_out:124 box_recv:2484 box_send:2485
polygon 604 -1 f b G f , 0 1027 d x 0 polygon
    poly_in:347 poly_out:348 poly_recv:2486 poly_send:2487
line 628 24 f b G f , 701 629 d p 0 line
    line_in:1490 line_out:1491 line_recv:2488 line_send:2489
cidr 650 -1 f b I f , 0 651 i m 0 cidr
    cidr_in:1267 cidr_out:1427 cidr_recv:2498 cidr_send:2499
float4 700 4 t b N f , 0 1021 i p 0 real
    float4in:200 float4out:201 float4recv:2424 float4send:2425
float8 701 8 t b N t , 0 1022 d p 0 double~precision
    float8in:214 float8out:215 float8recv:2426 float8send:2427
unknown 705 -2 f p X f , 0 0 c p 0 unknown
    unknownin:109 unknownout:110 unknownrecv:2416 unknownsend:2417
circle 718 24 f b G f , 0 719 d p 0 circle
    circle_in:1450 circle_out:1451 circle_recv:2490 circle_send:2491
macaddr8 774 8 f b U f , 0 775 i p 0 macaddr8
    macaddr8_in:4110 macaddr8_out:4111 macaddr8_recv:3446 macaddr8_send:3447
money 790 8 t b N f , 0 791 d p 0 money
    cash_in:886 cash_out:887 cash_recv:2492 cash_send:2493
macaddr 829 6 f b U f , 0 1040 i p 0 macaddr
    macaddr_in:436 macaddr_out:437 macaddr_recv:2494 macaddr_send:2495
inet 869 -1 f b I t , 0 1041 i m 0 inet
    inet_in:910 inet_out:911 inet_recv:2496 inet_send:2497
aclitem 1033 16 f b U f , 0 1034 d p 0 aclitem
    aclitemin:1031 aclitemout:1032
bpchar 1042 -1 f b S f , 0 1014 i x 100 character
    bpcharin:1044 bpcharout:1045 bpcharrecv:2430 bpcharsend:2431 bpchartypmodin:2913
    bpchartypmodout:2914
varchar 1043 -1 f b S f , 0 1015 i x 100 character~varying
    varcharin:1046 varcharout:1047 varcharrecv:2432 varcharsend:2433 varchartypmodin:2915
    varchartypmodout:2916
date 1082 4 t b D f , 0 1182 i p 0 date
    date_in:1084 date_out:1085 date_recv:2468 date_send:2469
time 1083 8 t b D f , 0 1183 d p 0 time~without~time~zone
    time_in:1143 time_out:1144 time_recv:2470 time_send:2471 timetypmodin:2909
    timetypmodout:2910
timestamp 1114 8 t b D f , 0 1115 d p 0 timestamp~without~time~zone
    timestamp_in:1312 timestamp_out:1313 timestamp_recv:2474 timestamp_send:2475
    timestamptypmodin:2905 timestamptypmodout:2906
timestamptz 1184 8 t b D t , 0 1185 d p 0 timestamp~with~time~zone
    timestamptz_in:1150 timestamptz_out:1151 timestamptz_recv:2476 timestamptz_send:2477
    timestamptztypmodin:2907 timestamptztypmodout:2908
interval 1186 16 f b T t , 0 1187 d p 0 interval
    interval_in:1160 interval_out:1161 interval_recv:2478 interval_send:2479
    intervaltypmodin:2903 intervaltypmodout:2904
timetz 1266 12 f b D f , 0 1270 d p 0 time~with~time~zone
    timetz_in:1350 timetz_out:1351 timetz_recv:2472 timetz_send:2473 timetztypmodin:2911
    timetztypmodout:2912
bit 1560 -1 f b V f , 0 1561 i x 0 bit
    bit_in:1564 bit_out:1565 bit_recv:2456 bit_send:2457 bittypmodin:2919 bittypmodout:2920
varbit 1562 -1 f b V t , 0 1563 i x 0 bit~varying
    varbit_in:1579 varbit_out:1580 varbit_recv:2458 varbit_send:2459 varbittypmodin:2902
    varbittypmodout:2921
numeric 1700 -1 f b N f , 0 1231 i m 0 numeric
    numeric_in:1701 numeric_out:1702 numeric_recv:2460 numeric_send:2461 numerictypmodin:2917
    numerictypmodout:2918
refcursor 1790 -1 f b U f , 0 2201 i x 0 refcursor
    textin:46 textout:47 textrecv:2414 textsend:2415
regprocedure 2202 4 t b N f , 0 2207 i p 0 regprocedure
    regprocedurein:2212 regprocedureout:2213 regprocedurerecv:2446 regproceduresend:2447
regoper 2203 4 t b N f , 0 2208 i p 0 regoper
    regoperin:2214 regoperout:2215 regoperrecv:2448 regopersend:2449
regoperator 2204 4 t b N f , 0 2209 i p 0 regoperator
    regoperatorin:2216 regoperatorout:2217 regoperatorrecv:2450 regoperatorsend:2451
regclass 2205 4 t b N f , 0 2210 i p 0 regclass
    regclassin:2218 regclassout:2219 regclassrecv:2452 regclasssend:2453
regtype 2206 4 t b N f , 0 2211 i p 0 regtype
    regtypein:2220 regtypeout:2221 regtyperecv:2454 regtypesend:2455
record 2249 -1 f p P f , 0 2287 d x 0 record
    record_in:2290 record_out:2291 record_recv:2402 record_send:2403
cstring 2275 -2 f p P f , 0 1263 c p 0 cstring
    cstring_in:2292 cstring_out:2293 cstring_recv:2500 cstring_send:2501
any 2276 4 t p P f , 0 0 i p 0 "any"
    any_in:2294 any_out:2295
anyarray 2277 -1 f p P f , 0 0 d x 0 anyarray
    anyarray_in:2296 anyarray_out:2297 anyarray_recv:2502 anyarray_send:2503
void 2278 4 t p P f , 0 0 i p 0 void
    void_in:2298 void_out:2299 void_recv:3120 void_send:3121
trigger 2279 4 t p P f , 0 0 i p 0 trigger
    trigger_in:2300 trigger_out:2301
internal 2281 8 t p P f , 0 0 d p 0 internal
    internal_in:2304 internal_out:2305
anyelement 2283 4 t p P f , 0 0 i p 0 anyelement
    anyelement_in:2312 anyelement_out:2313
anynonarray 2776 4 t p P f , 0 0 i p 0 anynonarray
    anynonarray_in:2777 anynonarray_out:2778
uuid 2950 16 f b U f , 0 2951 c p 0 uuid
    uuid_in:2952 uuid_out:2953 uuid_recv:2961 uuid_send:2962
pg_lsn 3220 8 t b U f , 0 3221 d p 0 pg_lsn
    pg_lsn_in:3229 pg_lsn_out:3230 pg_lsn_recv:3238 pg_lsn_send:3239
anyenum 3500 4 t p P f , 0 0 i p 0 anyenum
    anyenum_in:3504 anyenum_out:3505
tsvector 3614 -1 f b U f , 0 3643 i x 0 tsvector
    tsvectorin:3610 tsvectorout:3611 tsvectorrecv:3639 tsvectorsend:3638
tsquery 3615 -1 f b U f , 0 3645 i p 0 tsquery
    tsqueryin:3612 tsqueryout:3613 tsqueryrecv:3641 tsquerysend:3640
gtsvector 3642 -1 f b U f , 0 3644 i p 0 gtsvector
    gtsvectorin:3646 gtsvectorout:3647
regconfig 3734 4 t b N f , 0 3735 i p 0 regconfig
    regconfigin:3736 regconfigout:3737 regconfigrecv:3738 regconfigsend:3739
regdictionary 3769 4 t b N f , 0 3770 i p 0 regdictionary
    regdictionaryin:3771 regdictionaryout:3772 regdictionaryrecv:3773 regdictionarysend:3774
jsonb 3802 -1 f b U f , 0 3807 i x 0 jsonb
    jsonb_in:3806 jsonb_out:3804 jsonb_recv:3805 jsonb_send:3803
event_trigger 3838 4 t p P f , 0 0 i p 0 event_trigger
    event_trigger_in:3594 event_trigger_out:3595
jsonpath 4072 -1 f b U f , 0 4073 i x 0 jsonpath
    jsonpath_in:4001 jsonpath_out:4003 jsonpath_recv:4002 jsonpath_send:4004
regnamespace 4089 4 t b N f , 0 4090 i p 0 regnamespace
    regnamespacein:4084 regnamespaceout:4085 regnamespacerecv:4087 regnamespacesend:4088
regrole 4096 4 t b N f , 0 4097 i p 0 regrole
    regrolein:4098 regroleout:4092 regrolerecv:4094 regrolesend:4095
regcollation 4191 4 t b N f , 0 4192 i p 0 regcollation
    regcollationin:4193 regcollationout:4194 regcollationrecv:4196 regcollationsend:4197
xid8 5069 8 t b U f , 0 271 d p 0 xid8
    xid8in:5070 xid8out:5081 xid8recv:5082 xid8send:5083
anycompatible 5077 4 t p P f , 0 0 i p 0 anycompatible
    anycompatible_in:5086 anycompatible_out:5087
anycompatiblearray 5078 -1 f p P f , 0 0 d x 0 anycompatiblearray
    anycompatiblearray_in:5088 anycompatiblearray_out:5089 anycompatiblearray_recv:5090
    anycompatiblearray_send:5091
anycompatiblenonarray 5079 4 t p P f , 0 0 i p 0 anycompatiblenonarray
    anycompatiblenonarray_in:5092 anycompatiblenonarray_out:5093
"""
