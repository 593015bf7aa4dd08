-- case1
select id, case when salary > 4000 then 'high' when salary is null then 'none' else 'low' end c, case dept when 10 then 'x' when 20 then 'y' end d from emp order by id;
-- case2
select sum(case when active then 1 else 0 end) a, sum(case when active then salary end) b from emp;
-- coal1
select id, coalesce(name, 'n/a') a, nullif(dept, 10) b, greatest(rating, 2, null) g, least(id, rating) l from emp order by id;
-- cast1
select 5/2 a, -5/2 b, 5%3 c, -5%3 d, 5.0/2 e, 2^3 f, 7/2.0 g;
-- cast2
select cast(2.5 as int) a, cast(-2.5 as int) b, cast(2.5::double precision as int) c, cast(3.5::float8 as int) d, '42'::int e, cast(' 7 ' as int) f;
-- cast3
select cast(1.005 as decimal(10,2)) a, round(2.345, 2) b, round(-2.5) c, trunc(2.99) d, trunc(-2.99) e, ceil(1.2) f, floor(-1.2) g, ceiling(1.0) h;
-- cast4
select cast(12345 as text) a, cast(1.50 as text) b, cast(true as text) c, cast(date '2024-01-02' as text) d, cast('t' as boolean) e, cast(0 as boolean) f;
-- cast5
select id, cast(salary as int) a, cast(salary as bigint) b, salary::text c, rating::text d, active::int e from emp order by id;
-- cast6
select cast(ts as text) a, cast(day as timestamp) b from sales where id < 2 order by 1;
-- cast7
select 1/3.0 a, 10::decimal(5,2)/3 b, 100 * 1.0 / 3 c;
-- cast8
select a, b, a/b q, a%b m, abs(a) x, sign(a) s, mod(a,b) mm, power(a,2) p, sqrt(abs(a)) r from nums order by a nulls first, b;
-- cast9
select d, round(d) r0, round(d,1) r1, floor(d) f, ceil(d) c, trunc(d) t, -d n, d*2 m, d*d sq, d/2 h, abs(d) a from nums order by d nulls first;
-- cast10
select f, round(f) r, floor(f) fl, ceil(f) c, trunc(f) t, f::int i, f*2 m from nums order by f nulls first;
-- cast11
select greatest(1, 2.5, null) a, least('b','a') b, nullif(1,1) c, coalesce(null, 2) d;
-- cast12
select exp(1) a, ln(10) b, log(100) c, log(2, 8) d, pi() e, sin(1) f, atan2(1,2) g, cbrt(27) h, degrees(pi()) i, radians(180) j;
-- cast13
select 9223372036854775807 a, 1e3 b, 0.1+0.2 c, 1.10 d;
-- cast14
select true and null a, false and null b, true or null c, not null::boolean d, null = null e, null is distinct from 1 f, 1 is not distinct from 1 g;
-- cast15
select active is true a, active is not true b, active is unknown c, active is false d from emp order by id;
-- cast16
select bool_and(active) a, bool_or(active) b, every(active) c from emp;
-- cast17
select count(*) a, count(rating) b, count(distinct dept) c, sum(distinct dept) d, avg(distinct dept) e from emp;
-- cast18
select stddev(bonus) a, stddev_samp(bonus) b, stddev_pop(bonus) c, variance(bonus) d, var_samp(bonus) e, var_pop(bonus) f from emp;
-- cast19
select corr(a, f) a, covar_pop(a, f) b, covar_samp(a, f) c, regr_slope(a, f) d, regr_count(a,f) e from nums;
-- cast20
select percentile_cont(0.5) within group (order by salary) a, percentile_disc(0.5) within group (order by salary) b, percentile_cont(0.25) within group (order by bonus) c from emp;
-- cast21
select dept, percentile_cont(0.9) within group (order by salary) p, percentile_disc(0.3) within group (order by id) q, mode() within group (order by name) m from emp group by dept order by dept;
-- cast22
select sum(a) a, avg(a) b, min(c) c, count(*) d, max(b) e, string_agg(b, ',') f, bool_and(a>1) g, stddev(a) h from nothing;
-- cast23
select b, sum(a), count(*) from nothing group by b;
-- cast24
select sum(salary) a, avg(salary) b, min(name) c, max(name) d, min(hired) e, max(active::int) f from emp;
-- cast25
select sum(qty) from sales where false;
-- cast26
select sum(price*qty) a, sum(price)*2 b, sum(price/2) c, avg(price)*1.0 d, sum(price)/count(*) e, sum(qty)/count(*) f, sum(qty)::float/count(*) g from sales;
-- cast27
select variance(a) a, stddev(d) b, var_pop(1) c, stddev(1) d from nums;
-- cast28
select any_value(dept) a from emp where dept=10;
-- cast29
select width_bucket(5.35, 0.024, 10.06, 5) a, gcd(12, 18) b, factorial(5) c;
-- cast30
select 7 & 3 a, 7 | 8 b, 7 # 2 c, ~1 d, 1 << 4 e, 16 >> 2 f;
-- cast31
select id, salary * 1.1 a, salary + bonus b, salary * rating c, -salary d, salary / 3 e, salary % 7 f from emp order by id;
-- cast32
select id, case when id > 2 then 1 else 2.5 end a, case when id > 2 then salary else 0 end b, coalesce(salary, 0) c, coalesce(bonus, salary) d from emp order by id;
-- cast33
select 'NaN'::float8 > 1 a, 'Infinity'::float8 b;
-- cast34
select round(123.456::numeric, -2) a, round(1234567.891, 1) b, 1.0 / 8 c, 12.345::numeric(4,1) d;
-- cast35
select 1 = 1.0 a, 1::bigint = 1::smallint b, '1' = 1 c, 0.1::float8 = 0.1 d;
-- arr1
select array_agg(id order by id) a from emp where id < 4;
-- arr2
select id from emp where id = any(array[1,3]) order by id;
-- arr3
select array[1,2,3] a, (array[1,2,3])[2] b;
-- misc1
select 1 as one where 1 = 0;
-- misc2
select 1, 'a', null, true;
-- misc3
select count(*) from (select distinct region, product from sales) t;
-- misc4
select id from emp where not (dept = 10) order by id;
-- misc5
select id from emp where dept = null;
-- misc6
select id from emp where (dept = 10) is not true order by id;
-- misc7
select id from emp where salary between 4000 and 5000 and hired not between '2020-02-01' and '2020-12-31' order by id;
-- misc8
select id from emp where salary between symmetric 5000 and 4000 order by id;
-- misc9
select region, round(avg(price), 2) a, round(100.0 * sum(qty) / sum(sum(qty)) over (), 1) pct from sales group by region order by 1;
-- misc10
select product, sum(case when region = 'EU' then qty else 0 end) eu, sum(case when region = 'US' then qty end) us from sales group by product order by 1;
-- misc12
with m as (select date_trunc('month', day) mon, sum(price) rev from sales group by 1) select mon, rev, rev - lag(rev) over (order by mon) d, rev / lag(rev) over (order by mon) g from m order by mon;
-- misc13
select count(distinct (region, product)) from sales;
-- misc14
select count(distinct region) + count(distinct product) x from sales;
-- misc15
select product, count(distinct region) a, count(distinct case when qty > 3 then region end) b from sales group by product order by product;
-- misc16
select avg(c) from (select count(*) c from sales group by region) t;
-- misc17
select * from emp where false;
-- misc18
select e from emp e where id=1;
-- misc19
select id, qty, case when qty > avg(qty) over () then 'above' else 'below' end b from sales order by id limit 5;
-- misc21
select * from emp tablesample bernoulli (100) order by id;
-- misc22
select exists(select 1 from nothing) a, not exists(select 1 from nothing) b;
-- misc23
select id from emp where (select true) order by id;
-- misc24
select max(id) filter (where id < 3) - min(id) x from emp;
-- misc25
select row_number() over () r, 1 x from (values (1),(2)) v(a) order by 1;
-- misc26
select id from emp where coalesce(active, false) order by 1;
-- misc27
select id from emp where active order by 1;
-- misc28
select id from emp where not active order by 1;
-- misc29
select sum(qty) s, region from sales group by 2 order by 2;
-- misc30
select sum(x) from (select qty x from sales union all select rating from emp) t;
-- misc31
select (select count(*) from emp) * (select count(*) from dept) x;
-- misc32
select * from (select id, rank() over (order by salary desc nulls last) r from emp) t where r <= 3 order by r, id;
-- misc33
select region, product, sum(qty) from sales where region in ('EU','US') group by region, product having sum(qty) > 10 order by 3 desc, 1, 2;
-- misc34
select a.region, a.s / b.t share from (select region, sum(price) s from sales group by region) a, (select sum(price) t from sales) b order by 1;
-- misc35
select id from sales where (region, product) in (('EU','ap%le'),('US','ba_na')) order by id;
-- misc36
select id, row(id, dept) = row(1, 10) x from emp order by id;
-- misc37
select count(*) from sales where day >= date '2024-01-01' + interval '1 month' and day < date '2024-01-01' + interval '2 months';
-- misc38
select min(id), max(id) from emp group by ();
-- misc40
select null::int a, null::text b, null::date c;
-- v1
select * from (values (date '2024-01-01', 1.50), (date '2024-02-01', null)) t(d, x) order by d;
-- v2
select x, -x y from (values (1 + 1), (3)) t(x) order by x;
-- v3
values (date '2024-01-01', 'a'), (null, 'b');
