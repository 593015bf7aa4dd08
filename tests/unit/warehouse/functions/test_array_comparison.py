"""ANY, ALL and arrays as sets, against PostgreSQL: every operator over NULLs and empty arrays."""

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
@>(anyarray,anyarray) ¦ int4[]:{1,NULL} ¦ int4[]:{NULL} => f
@>(anyarray,anyarray) ¦ int4[]:{1,NULL} ¦ int4[]:{} => t
@>(anyarray,anyarray) ¦ int4[]:{1,NULL} ¦ int4[]:{1,1} => t
@>(anyarray,anyarray) ¦ text[]:{a,b,c} ¦ text[]:{c,a} => t
@>(anyarray,anyarray) ¦ float8[]:{1,NaN} ¦ float8[]:{NaN} => t
<@(anyarray,anyarray) ¦ text[]:{c,d} ¦ text[]:{a,b,c} => f
<@(anyarray,anyarray) ¦ text[]:{c,d} ¦ text[]:NULL => NULL
&&(anyarray,anyarray) ¦ int4[]:{1,NULL} ¦ int4[]:{NULL} => f
&&(anyarray,anyarray) ¦ int4[]:{1,NULL} ¦ int4[]:{1} => t
&&(anyarray,anyarray) ¦ int4[]:{} ¦ int4[]:{1} => f
&&(anyarray,anyarray) ¦ interval[]:{1 mon} ¦ interval[]:{30 days} => t
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => t
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => t
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => NULL
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => t
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => NULL
any =(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => f
any =(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => f
any =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
any =(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => t
any =(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => t
any =(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => f
any =(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => t
any =(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => t
any =(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => t
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => t
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => f
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => t
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => NULL
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => t
any <>(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => f
any <>(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => f
any <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
any <>(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => t
any <>(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => t
any <>(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => t
any <>(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => f
any <>(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => t
any <>(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => t
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => t
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => f
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => NULL
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => NULL
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => t
any <(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => f
any <(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => f
any <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
any <(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => f
any <(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => t
any <(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => t
any <(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => f
any <(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => f
any <(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => f
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => t
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => t
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => NULL
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => t
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => t
any <=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => f
any <=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => f
any <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
any <=(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => t
any <=(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => t
any <=(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => t
any <=(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => t
any <=(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => t
any <=(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => t
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => t
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => f
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => t
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => NULL
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => NULL
any >(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => f
any >(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => f
any >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
any >(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => t
any >(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => f
any >(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => t
any >(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => f
any >(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => t
any >(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => t
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => t
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => t
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => t
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => t
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => NULL
any >=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => f
any >=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => f
any >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
any >=(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => t
any >=(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => t
any >=(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => t
any >=(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => t
any >=(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => t
any >=(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => t
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => f
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => t
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => f
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => NULL
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => f
all =(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => t
all =(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => t
all =(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
all =(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => f
all =(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => f
all =(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => f
all =(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => t
all =(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => f
all =(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => f
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => f
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => f
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => NULL
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => f
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => NULL
all <>(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => t
all <>(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => t
all <>(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
all <>(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => f
all <>(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => f
all <>(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => t
all <>(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => f
all <>(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => f
all <>(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => f
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => f
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => f
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => f
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => f
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => NULL
all <(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => t
all <(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => t
all <(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
all <(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => f
all <(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => f
all <(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => f
all <(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => f
all <(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => f
all <(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => f
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => f
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => t
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => f
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => NULL
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => NULL
all <=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => t
all <=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => t
all <=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
all <=(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => f
all <=(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => t
all <=(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => f
all <=(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => t
all <=(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => f
all <=(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => f
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => f
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => f
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => NULL
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => f
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => f
all >(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => t
all >(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => t
all >(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
all >(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => f
all >(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => f
all >(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => f
all >(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => f
all >(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => f
all >(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => f
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,2,3} => f
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,2} => t
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{1,NULL} => NULL
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{2,NULL} => NULL
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{3,NULL} => f
all >=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{} => t
all >=(anyelement,anyarray) ¦ int4:NULL ¦ int4[]:{1} => NULL
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:NULL => NULL
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{} => t
all >=(anyelement,anyarray) ¦ int4:2 ¦ int4[]:{NULL} => NULL
all >=(anyelement,anyarray) ¦ float8:NaN ¦ float8[]:{1,NaN} => t
all >=(anyelement,anyarray) ¦ float8:1 ¦ float8[]:{1,NaN} => f
all >=(anyelement,anyarray) ¦ text:b ¦ text[]:{a,B,c} => f
all >=(anyelement,anyarray) ¦ interval:1 mon ¦ interval[]:{30 days} => t
all >=(anyelement,anyarray) ¦ bool:t ¦ bool[]:{f,t} => t
all >=(anyelement,anyarray) ¦ date:2000-01-01 ¦ date[]:{2000-01-01,1999-12-31} => t
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []
