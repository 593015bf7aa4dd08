-- err1
select 1/0;
-- err2
select a/0 from nums;
-- err3
select a % 0 from nums;
-- err4
select d / 0 from nums;
-- err5
select 1.0/0;
-- err6
select cast('abc' as int);
-- err8
select a / (b - b) from nums;
-- err9
select mod(a, 0) from nums;
-- err10
select sum(a) / count(c) from nums left join nothing using (a);
-- err11
select dept, name from emp group by dept;
-- err12
select case when b = 0 then 0 else a / b end q, a / nullif(b, 0) r from nums order by a nulls first, b;
-- err15
select id from emp where sum(id) > 1;
-- err16
select cast(99999 as smallint);
-- err17
select count(*) filter (where a/b > 0) from nums where b <> 0;
-- err18
select case when a = 0 then 1 else 10 / a end from nums where a is not null order by 1;
-- err19
select avg(a / nullif(a, 0)) from nums;
-- err20
select 10 % (a - a) from nums where a is null;
-- d1
select case when b = 0 then 0 else a / b end q from (select a, b - 2 as b from nums) t order by 1 nulls first;
-- d2
select id from (values (1,0),(2,4)) t(id, x) where x <> 0 and 8 / x > 1;
-- d3
select id from (values (1,0),(2,4)) t(id, x) where x = 0 or 8 / x = 2 order by 1;
-- d4
select coalesce(y, 8 / x) r from (values (null,2),(5,0)) t(y, x) order by 1;
-- d5
select * from (select id, x, 8 / x r from (values (1,0),(2,4)) t(id, x)) q where x <> 0;
-- d6
select sum(8 / x) filter (where x <> 0) from (values (1,0),(2,4)) t(id, x);
-- d7
select id % 2 g, sum(x) / count(y) r from (values (1,0,null),(2,4,7)) t(id, x, y) group by id % 2 having count(y) > 0;
-- d8
select case when count(y) > 0 then sum(x) / count(y) else -1 end r from (values (1,0,null::int),(2,4,7)) t(id, x, y) group by id order by 1;
-- d9
select case x when 0 then null else 8 % x end r from (values (0),(3)) t(x) order by 1;
-- d10
with s as (select id, x from (values (1,0),(2,4)) t(id, x) where x > 0) select 8 / x from s;
-- d11
select a.id, 8 / b.x r from (values (1),(2)) a(id) join (values (1,0),(2,4)) b(id, x) on a.id = b.id and b.x <> 0;
-- d12
select a.id, 8 / b.x r from (values (1),(3)) a(id) left join (values (1,2)) b(id, x) on a.id = b.id order by 1;
-- d13
select x / 2 h, count(*) from (values (1),(2),(3)) t(x) group by x / 2 order by x / 2;
-- d14
select 8 / x h, count(*) from (values (1),(2),(2)) t(x) group by 8 / x order by 8 / x;
-- d15
select sum(x) over (order by id) / id r from (values (1,5),(2,4)) t(id, x) order by id;
-- d16
select id, x / sum(x) over () r from (values (1,5),(2,40)) t(id, x) order by id;
-- d17
select id, x / (select max(id) from emp) r from (values (1,50),(2,40)) t(id, x) order by id;
-- d18
select x / (y - y) from (values (1, 1)) t(x, y);
-- d19
select 1.50 / (y - y) from (values (1, 1)) t(x, y);
-- d20
select case when sum(x) > 100 then sum(10 / x) else 0 end from (values (1), (0)) t(x);
-- d21
select case when x <> 0 and 10 / x > 1 then 'a' when x = 0 then 'z' else cast(10 / x as text) end r from (values (1), (0), (50)) t(x) order by 1;
-- d22
select id, budget / nullif(id - 10, 0) r, case when id > 10 then budget / (id - 10) end s from dept order by id;
-- d23
select id, avg(salary) / count(rating) a from emp group by id having count(rating) <> 0 order by id;
-- d24
select 10 % x from (values (0)) t(x);
-- d25
select a.s / b.t from (select sum(price) s from sales) a, (select sum(price) t from sales where false) b;
-- d26
select max(10 / x) from (values (0), (1)) t(x) where x > 0;
-- d27
select id from emp order by case when dept is null then 0 else 100 / dept end, id;
-- d28
select (case when x > 0 then 10 end) / (case when x > 0 then x end) from (values (0), (5)) t(x) order by 1;
-- d29
select id from emp e where exists (select 1 from dept d where d.id = e.dept and d.id <> 0 and 100 / d.id > 4) order by id;
-- w1
select dept, avg(salary) a, sum(salary) / count(salary) b, max(hired) - min(hired) d from emp group by dept order by dept;
-- w2
select id, salary / sum(salary) over (partition by dept) s, 100 * rating / sum(rating) over () p from emp order by id;
-- w3
select product, sum(qty) / nullif(sum(case when region = 'EU' then 1 else 0 end), 0) x from sales group by product order by 1;
-- w4
select product, sum(qty) % count(*) x from sales group by product order by 1;
-- w5
select id, case when rating = 0 then null when rating > 2 then 100 / rating else 50 / rating end x from emp order by id;
-- w6
select q.product, q.s, q.s / q.c r from (select product, sum(qty) s, count(*) c from sales group by product) q where q.c > 0 order by q.s desc;
-- w7
select d.name as region, d.region as name from dept d order by d.region, d.name;
-- w8
select x.id from (select e.id, e.name from emp e order by e.salary desc nulls last, e.id limit 4) x order by x.name, x.id;
-- w9
select s.region, s.product, e.name from sales s left join emp e on e.id = s.emp_id order by s.price desc, s.id limit 7;
-- w10
select e.name, d.name from emp e join dept d on d.id = e.dept order by d.name, e.id;
-- w11
select a.id, b.id from emp a join emp b on a.dept = b.dept and a.id < b.id order by b.id, a.id;
-- w12
select d.name, count(*) as id from emp e join dept d on d.id = e.dept group by d.name, d.id order by d.id desc;
-- w13
select sum(x) s from (select distinct on (dept) dept, salary x, id from emp order by dept, id) q;
