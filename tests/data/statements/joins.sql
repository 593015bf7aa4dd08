-- lat1
select d.id, x.n from dept d, lateral (select count(*) n from emp e where e.dept = d.id) x order by d.id;
-- lat2
select d.id, x.name, x.salary from dept d left join lateral (select name, salary from emp e where e.dept = d.id order by salary desc nulls last, id limit 1) x on true order by d.id;
-- lat3
select d.id, x.name, x.salary from dept d cross join lateral (select name, salary, id from emp e where e.dept = d.id order by salary desc, id limit 2) x order by d.id, x.id;
-- join1
select e.id, d.name from emp e left join dept d on e.dept = d.id order by e.id;
-- join2
select e.id, d.id from emp e full join dept d on e.dept = d.id order by 1, 2;
-- join3
select d.id, count(e.id) from emp e right join dept d on e.dept = d.id group by d.id order by 1;
-- join4
select id, name from emp natural join (select id from sales) s order by id;
-- join5
select id, e.name, s.region from emp e join sales s using (id) order by id;
-- join6
select * from (select 1 a, 2 b) x join (select 1 a, 3 c) y using (a);
-- join7
select a.id, b.id from emp a join emp b on a.boss = b.id order by 1;
-- join8
select a.id, b.id from emp a left join emp b on a.boss = b.id and b.dept = 10 order by 1;
-- join9
select count(*) from emp cross join dept;
-- join10
select count(*) from emp, dept, nothing;
-- join11
select e.id, d.id from emp e join dept d on e.dept < d.id order by 1, 2;
-- join12
select e.id, d.id from emp e left join dept d on e.dept < d.id and d.region = 'EU' order by 1, 2;
-- join13
select e.id, n.a from emp e left join nothing n on n.a = e.id order by 1;
-- join14
select coalesce(x.k, y.k) k, x.v, y.w from (values (1,'a'),(2,'b')) x(k,v) full outer join (values (2,'c'),(3,'d')) y(k,w) on x.k = y.k order by 1;
-- join15
select k, v, w from (values (1,'a'),(2,'b')) x(k,v) full outer join (values (2,'c'),(3,'d')) y(k,w) using (k) order by k;
-- join16
select * from (values (1,'a'),(2,'b')) x(k,v) right join (values (2,'c'),(3,'d')) y(k,w) using (k) order by k;
-- join17
select e.id from emp e join dept d on e.dept = d.id or e.id = d.id - 5 order by 1;
-- join18
select e.id, d.name from emp e left join dept d on e.dept = d.id where d.name is null order by 1;
-- join19
select e.id, d.name from emp e left join dept d on e.dept = d.id and e.active order by 1;
-- join20
select e.id, s.id sid from emp e left join sales s on s.emp_id = e.id and s.qty > 18 order by 1, 2;
-- join21
select a.id, b.id, c.id from emp a join emp b on b.boss = a.id join emp c on c.boss = b.id order by 1, 2, 3;
-- join22
select d.name, s.region, sum(s.qty) q from sales s join emp e on e.id = s.emp_id join dept d on d.id = e.dept group by d.name, s.region order by 1, 2;
-- join23
select a.id from emp a join emp b on a.name = b.name and a.id <> b.id order by 1;
-- join24
select e.id, d.id from emp e left join dept d on true order by 1, 2 limit 5;
-- join25
select e.id, d.id from emp e left join dept d on false order by 1;
-- join26
select x.id, y.id from emp x full join dept y on x.dept = y.id and x.active order by 1, 2;
-- join27
select e.name, d.name from emp e left join (select * from dept where region = 'EU') d on d.id = e.dept order by e.id;
-- join28
select e.id from emp e left join dept d on d.id = e.dept left join sales s on s.id = d.budget order by 1;
-- join30
select e.id, s.id from emp e join sales s on e.hired between s.day - 2000 and s.day and s.qty = e.rating order by 1, 2;
-- join31
select e.dept, d.id from emp e left join dept d on e.dept = d.id left join tree t on t.id = d.id - 9 and t.label = 'root' where t.id is null order by e.id;
-- join32
select * from emp e join dept d on e.dept = d.id join tree t on t.id = e.id where e.id < 3 order by e.id;
-- join33
select e.id, d.budget from emp e left join dept d on e.dept = d.id and d.budget > 10 and e.rating > 3 order by 1;
-- join34
select count(*) from emp a natural join emp b;
-- join35
select e.id from emp e left join lateral (select 1 as one) x on true order by 1;
-- join36
select d.id, e.id from dept d left join emp e on e.dept = d.id and e.salary = (select max(salary) from emp where dept = d.id) order by 1, 2;
-- rec1
with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select n from t order by n;
-- rec2
with recursive t as (select id, label, 0 depth from tree where parent is null union all select c.id, c.label, t.depth + 1 from tree c join t on c.parent = t.id) select * from t order by id;
-- rec3
with recursive t as (select id, cast(label as text) path from tree where parent is null union all select c.id, t.path || '/' || c.label from tree c join t on c.parent = t.id) select * from t order by id;
-- rec4
with recursive t(n) as (select 1 union select (n % 3) + 1 from t) select n from t order by n;
-- ser1
select * from generate_series(1, 5) order by 1;
-- ser2
select g, g * 2 from generate_series(1, 10, 3) as g order by 1;
-- ser3
select d::date from generate_series(date '2024-01-01', date '2024-01-10', interval '3 days') d order by 1;
-- ser4
select d.day, count(s.id) c from (select generate_series(date '2024-01-01', date '2024-01-07', interval '1 day')::date as day) d left join sales s on s.day = d.day group by d.day order by 1;
-- ser5
select x, g from (values (1),(2)) v(x), generate_series(1, x) g order by 1, 2;
-- ser6
select unnest(array[1,2,3]) u order by 1;
-- ser7
select count(*) from generate_series(5, 1);
-- j1
select count(*) from emp e join nums n on e.id = n.f;
-- j2
select e.id from emp e join nums n on e.id = n.d * 2 order by 1;
-- j3
select e.id from emp e join sales s on e.hired = s.ts order by 1;
-- j4
select e.id from emp e join (select 3.0 as id union all select 4.00) q using (id) order by 1;
-- j5
select e.id from emp e where e.id in (select n.d * 2 from nums n) order by 1;
-- j6
select e.id from emp e where e.salary in (select 4000.5) order by 1;
-- j7
select count(*) from emp e join dept d on e.dept = d.id and e.salary > d.budget / 1000;
-- j8
select e.id, d.budget from emp e join dept d on d.id = coalesce(e.dept, 40) order by 1;
-- j9
select e.id from emp e join nums n on e.rating = n.a order by 1;
-- j10
select e.id from emp e, nums n where e.bonus = n.f order by 1;
-- j11
select e.salary from emp e join (values (4000.500), (100)) v(x) on e.salary = v.x order by 1;
-- j12
select id from emp union select 1.5 order by 1;
-- j13
select salary from emp where id < 3 union all select 1.234 order by 1;
-- j14
select e.id from emp e where exists (select 1 from dept d where d.id = e.dept and d.budget > 10) order by e.id;
-- j15
select e.id from emp e where exists (select 1 from dept d where d.id = e.dept and 100 / d.id > 4) order by e.id;
