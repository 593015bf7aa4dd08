-- dt5
select date_part('year', day) y, date_part('month', ts) m, count(*) from sales group by 1, 2 order by 1, 2;
-- dt8
select id from sales where day between date '2024-01-10' and date '2024-01-10' + interval '20 days' order by id;
-- dt9
select date '2024-01-31' + interval '1 month' a, date '2024-03-31' - interval '1 month' b, timestamp '2024-02-29 10:00:00' + interval '1 year' c;
-- dt10
select to_char(day, 'YYYY-MM') m, count(*) from sales group by 1 order by 1;
-- dt12
select id, to_date('2024-05-06','YYYY-MM-DD') d from sales where id = 0;
-- dt13
select id, age(day, hired) from sales, emp where sales.id=emp.id;
-- dt15
select make_date(2024, 2, 29) d;
-- dt16
select count(*) from sales where ts >= '2024-01-20' and day < '2024-03-01';
-- dt17
select day + 1 = date '2024-01-02' x, day + interval '1 day' as y from sales where id=0;
-- dt18
select extract(year from age(date '2024-05-05', date '2020-06-06')) y;
-- dt19
select interval '1 day' * 3 + date '2024-01-01' x;
-- dt21
select date_bin('15 minutes', ts, timestamp '2024-01-01') b from sales where id < 3 order by 1;
-- str1
select id, upper(name) u, lower(name) l, length(name) n, trim('  x ') t, ltrim('xxa','x') lt, rtrim('axx','x') rt, initcap(name) i from emp order by id;
-- str2
select id, substring(name from 2 for 2) a, substring(name, 1, 1) b, left(name, 2) c, right(name, 2) d, position('n' in name) p, strpos(name,'n') s from emp order by id;
-- str3
select id, name || '-' || dept x, concat(name, '-', dept) y, concat_ws('/', name, region, null, dept) z from (select e.*, 'r' region from emp e) q order by id;
-- str4
select id, replace(note, 'x', 'yy') a, split_part(note, '-', 2) b, reverse(note) c, repeat('ab', 2) d, lpad(product, 8, '*') e, rpad(product, 4, '.') f from sales order by id;
-- str5
select id from emp where name like 'A%' or name ilike 'C%' order by id;
-- str6
select id from sales where product like 'ap!%le' escape '!' order by id;
-- str7
select id from sales where product like 'ba\_na' order by id;
-- str10
select id from sales where note ~ '^x-[0-9]+$' order by id;
-- str11
select id from sales where product ~* 'CHER' and note !~ '^x' order by id;
-- str13
select ascii('A') a, chr(66) b, md5('a') c, starts_with('abc','ab') d, translate('abc','ab','xy') e;
-- str15
select overlay('abcdef' placing 'XX' from 2 for 3) a, trim(both 'x' from 'xxaxx') b, trim(leading 'x' from 'xxa') c;
-- str16
select string_agg(name, ', ' order by id) a from emp;
-- str17
select dept, string_agg(name, ',' order by name desc) a from emp group by dept order by dept;
-- str18
select string_agg(distinct product, '|' order by product) a, string_agg(region, ',') filter (where id<2) b from sales;
-- str19
select left('abc', -1) a, right('abc', -1) b, substring('abcdef', 0, 3) c, substring('abcdef', -1) d, substring('abc', 3, 10) e, lpad('abcdef', 3) f;
-- str20
select 'a' || null x, concat('a', null) y, concat(null) z;
-- str21
select 'it''s' x, E'a\nb' y, U&'d\0061t' z;
-- str22
select id from emp where name in ('Ann', 'Bob') and name not in ('Bob') order by id;
-- str23
select substring('foobar' from 'o.b') a, regexp_count('aXbXc','X') b;
-- str24
select to_char(1234.5, '9999.99') a;
-- str25
select id, name collate "C" from emp order by name collate "C", id;
-- str26
select position('' in 'abc') a, strpos('abc','z') b, split_part('a,b,c', ',', -1) c, split_part('a,b',',',5) d;
-- str27
select name like '%' a, name like '' b, '' like '%' c, 'a%b' like 'a\%b' d from emp where id in (1,7) order by id;
-- str28
select 'abc' < 'abd' a, 'a' < 'B' b, '' < 'a' c;
-- s1
select repeat('ab', 2) d;
-- s4
select ascii('A') a;
-- s5
select md5('a') a;
-- s6
select starts_with('abc','ab') a;
-- s7
select translate('abc','ab','xy') a;
-- s8
select trim(both 'x' from 'xxaxx') b, trim(leading 'x' from 'xxa') c, trim(trailing from 'a  ') d;
-- s9
select 'it''s' x, E'a\nb' y;
-- s10
select log(2, 8) a;
-- s11
select log(100) a, log(salary) b from emp where salary > 0 order by id;
-- s12
select exp(1) a, ln(10) b, pi() e, sin(1) f, cbrt(27) h, degrees(pi()) i, radians(180) j;
-- s13
select atan2(1,2) g;
-- s14
select corr(a, f) a from nums;
-- s15
select covar_pop(a, f) b, covar_samp(a, f) c from nums;
-- s16
select gcd(12, 18) b;
-- s17
select 7 & 3 a, 7 | 8 b;
-- s18
select 1 << 4 e;
-- s19
select ~1 a;
-- s20
select round(1234567.891, 1) b, 1.0 / 8 c, 12.345::numeric(4,1) d;
-- s21
select mode() within group (order by dept) from emp;
-- s22
select dept, percentile_cont(0.9) within group (order by salary desc) p, percentile_disc(0.3) within group (order by id) q, percentile_disc(0.5) within group (order by salary) r from emp group by dept order by dept;
-- s23
select percentile_cont(0.5) within group (order by salary) filter (where dept = 10) a from emp;
-- s24
select regexp_count('aXbXc','X') b;
-- s25
select substring('foobar', 'o.b') b;
-- s26
select stddev_pop(bonus) a, var_pop(salary) b, stddev_pop(a) c from emp, (select 1 a) q;
-- s27
select dept, var_pop(salary) v, stddev_pop(id) s from emp group by dept order by dept;
-- s30
select id from sales where product not similar to '(ap|ba)%' order by id;
-- s31
select id from sales where product ilike 'AP\%LE' order by id;
-- s32
select 'a.c' similar to 'a.c' a, 'abc' similar to 'a.c' b, 'a' similar to '[a-c]' c, 'ab' similar to 'a{2}|ab' d, 'a%' like 'a\%' e, 'a\b' like 'a\\b' f;
-- s33
select 'x' like 'x' escape '' a;
-- s34
select case when id is true then 1 end from (select active id from emp) q order by 1;
-- s35
select id from emp where (active and rating > 4) is not true order by id;
-- s36
select id from emp where (active or rating > 4) is false order by id;
-- s37
select id from emp where not (active is true) and active is not false order by id;
-- s38
select cast(bonus as text) b, 'b' || bonus c, concat(bonus, '/', hired, '/', rating) d from emp order by id;
-- s39
select cast(ts as text) a, 't' || ts b from sales where id < 3 order by id;
-- s40
select cast(day as text) a, day || '' b from sales where id < 3 order by id;
-- s41
select 'yes'::boolean a, 'OFF'::boolean b;
-- s42
select cast('maybe' as boolean);
-- s44
select to_char(day, 'Mon YYYY') from sales order by id;
-- s45
select to_date('2024-02-03', 'YYYY-MM-DD') + 1 a;
-- s46
select id from emp where id between symmetric 5 and 3 and id not between symmetric 4 and 4 order by id;
-- s47
select every(active) e, any_value(dept) filter (where dept = 10) d from emp;
