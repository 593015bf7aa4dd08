-- ord1
select id, name from emp order by name desc, id;
-- ord2
select id, name from emp order by 2 nulls first, 1 desc;
-- ord3
select id, salary s from emp order by s desc nulls last, id limit 3 offset 1;
-- ord4
select id from emp order by id fetch first 3 rows only;
-- ord5
select id from emp order by id offset 2 rows fetch next 2 rows only;
-- ord6
select id from emp order by salary * -1, id;
-- ord7
select dept, count(*) c from emp group by dept order by count(*) desc, dept;
-- ord8
select id from emp order by case when dept = 20 then 0 else 1 end, id;
-- ord9
select name from emp order by id desc;
-- ord10
select distinct dept from emp order by dept desc;
-- ord11
select id from emp order by length(name), id;
-- ord12
select id from emp order by active desc, id desc;
-- ord13
select id+1 as id from emp order by id limit 2;
-- ord14
select -id as id from emp order by id limit 2;
-- ord15
select id as x, -id as id from emp order by id limit 2;
-- ord16
select id from emp order by id limit all;
-- ord17
select id from emp limit 0;
-- ord18
select id from emp order by id limit 1+1;
-- ord19
select dept d, sum(salary) s from emp group by d order by s nulls first, d;
-- ord20
select id from emp order by id limit null;
-- ord21
select dept from emp group by dept order by max(salary) desc nulls last, dept;
-- ord22
select id from emp order by dept is null, dept, id;
-- ord23
select * from (select id, salary from emp order by salary desc nulls last, id limit 3) t order by id;
-- ord25
select -id as id from emp order by id + 1;
-- ord26
select id from emp order by random() limit 0;
-- ord27
select distinct dept, salary from emp order by salary, dept;
-- alias1
select "id" as "Mixed Case", name "N" from emp e order by "Mixed Case" limit 2;
-- alias2
select e.id as "select", d.name as "from" from emp e join dept d on d.id = e.dept order by 1;
-- alias3
select t.a, t.b from (values (1, 'x'), (2, 'y')) as t(a, b) order by a;
-- alias4
values (1, 'a'), (2, 'b');
-- alias5
select * from (values (1), (null), (3)) v(x) order by x;
-- alias6
with c(a, b) as (select id, name from emp) select a, b from c where a < 3 order by a;
-- alias7
select x.* from emp x where x.id = 1;
-- alias8
select e.*, d.name dn from emp e, dept d where e.dept = d.id and e.id = 1;
-- alias9
with a as (select 1 x), b as (select x + 1 y from a), c as (select y from b union all select x from a) select * from c order by 1;
-- alias10
with emp as (select 1 as id) select * from emp;
-- alias11
select id as i, i.x from emp, (select 5 as x) i order by emp.id limit 1;
-- alias12
with c as materialized (select id from emp) select count(*) from c;
-- alias13
select count(*) as count, sum(id) as sum from emp;
-- alias14
with a as (with b as (select 3 z) select z from b) select z from a;
-- o1
select d.id from emp e join dept d on e.dept = d.id order by e.id desc;
-- o2
select d.id, e.name from emp e join dept d on e.dept = d.id order by e.id desc limit 2;
-- o3
select * from (select d.id, e.name from emp e join dept d on e.dept = d.id order by e.id desc limit 2) q order by name;
-- o4
select name from (select d.name from emp e join dept d on e.dept = d.id order by e.name desc limit 3) q order by name;
-- o5
with c as (select -id as id from emp order by emp.id limit 2) select * from c order by id;
-- o6
select -id as id from emp order by emp.id limit 3;
-- o7
select -id as id from emp order by id limit 3;
-- o8
select -id as id, name from emp order by abs(id), name limit 3;
-- o9
select upper(name) as name from emp order by emp.name desc nulls last, id limit 3;
-- o10
select d.name, sum(e.id) as id from emp e join dept d on e.dept = d.id group by d.name order by max(e.id) desc;
-- o11
select e.dept as id, count(*) c from emp e group by e.dept order by e.dept;
-- o12
select id as name, name as id from emp order by emp.id;
-- o13
(select -id as id from emp order by emp.id limit 2) union all (select id from emp order by -id limit 2) order by 1;
-- o14
select e.id, d.id from emp e join dept d on e.dept = d.id order by d.id desc, e.id;
-- o15
select region as product, product as region from sales order by sales.product, sales.region, id limit 5;
-- o16
select sum(qty) as qty, product from sales group by product order by sum(qty) desc;
-- o17
select product, sum(qty) as price from sales group by product order by min(price);
-- o18
select id, rank() over (order by salary desc nulls last) as salary from emp order by emp.salary nulls first, id;
-- o19
select id from emp where dept in (select d.id from dept d where d.region = emp.name || '' or d.id = emp.dept) order by id;
-- o20
select id from emp e where (e.dept, e.name) in (select d.id, 'Ann' from dept d) order by id;
-- o21
select id from emp e where (e.dept, e.rating) not in (select d.id, 5 from dept d) order by id;
-- o22
select id from emp where (dept, rating) <> (10, 5) order by id;
-- o23
select id from emp where (id, dept) not in ((1, 10), (2, 20)) order by id;
-- o24
select id from emp where (dept, id) > (10, 2) order by id;
-- o25
select id, dept from emp where id in (select e2.id from emp e2 where e2.dept = emp.dept and e2.rating > 3) order by id;
-- o26
select count(*) from generate_series(5, 1, -2) g;
-- o27
select sum(g) s, count(*) c from generate_series(1, 100) g where g % 7 = 0;
-- o28
select g.d::date as day, count(s.id) c from generate_series(timestamp '2024-01-01', timestamp '2024-01-05', interval '1 day') as g(d) left join sales s on s.day = g.d group by 1 order by 1;
-- o29
select * from generate_series(1, 3) a, generate_series(1, 2) b order by 1, 2;
-- o30
select n / 2 h, count(*) from generate_series(1, 5) as t(n) group by 1 order by 1;
-- o31
select count(*) from generate_series(1, 3, 0);
-- o32
select id from emp order by id limit 3 offset 1 + 1;
-- o33
select case when dept = 10 then 'a' else 'b' end x from emp order by case when dept = 10 then 'z' else 'y' end, id;
-- o34
select id from emp order by case when dept = 10 then 1.5 else 0 end, case name when 'Ann' then 1 when 'Bob' then 2 end desc nulls last, id;
-- o35
select id, row_number() over (order by case when dept = 10 then 0 else 1 end, id) r from emp order by id;
-- o36
select max(sum(id)) from emp group by dept;
-- o37
select dept from emp where count(*) > 1 group by dept;
-- o38
select id, dept from emp where rank() over (order by id) < 3;
-- o39
select e.id from emp e where (select sum(s.qty) from sales s where s.emp_id = e.id) > 10 order by e.id;
-- o40
select salary from emp group by dept;
-- o41
select distinct name from emp order by id;
-- o42
select distinct on (dept) dept, name, id from emp order by dept, id desc;
-- o43
select id as x from emp union all select id from dept order by x desc limit 3;
-- o44
select name from emp where name > 'B' collate "C" order by name collate "C";
-- o45
select dept, id from emp group by dept, id having id > 5 order by -id;
-- o46
select extract(dow from day)::int as day, count(*) from sales group by extract(dow from day) order by 1;
-- o47
select id as ID2, ID from emp where Id = 3;
-- o48
select null = any(select dept from emp) x;
-- o49
select 5 = any(select dept from emp) x, 10 <> all(select dept from emp where dept > 10) y;
-- o50
select count(*) from emp where dept not in (select d.id from dept d where d.id = emp.dept);
-- o51
select sum(salary) filter (where rating > 3) over (partition by dept) s from emp order by id;
-- o52
select id, lag(name, 1, 'none') over (partition by dept order by id) x, lead(id) over (order by salary desc nulls last, id) y from emp order by id;
-- o56
select count(*) from (values ('NaN'::float8), (1.0)) t(x) where x > 5;
-- o57
select count(distinct x) from (values ('NaN'::float8), ('NaN'::float8)) t(x);
