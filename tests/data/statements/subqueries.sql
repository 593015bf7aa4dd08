-- sub1
select id from emp e where exists (select 1 from sales s where s.emp_id = e.id and s.qty > 15) order by id;
-- sub2
select id from emp e where not exists (select 1 from sales s where s.emp_id = e.id) order by id;
-- sub3
select id from emp where dept in (select id from dept where region = 'EU') order by id;
-- sub4
select id from dept where id not in (select dept from emp) order by id;
-- sub5
select id from dept where id not in (select dept from emp where dept is not null) order by id;
-- sub6
select id, (select max(price) from sales s where s.emp_id = e.id) m from emp e order by id;
-- sub7
select id, (select count(*) from sales s where s.emp_id = e.id) m from emp e order by id;
-- sub8
select id from emp e where salary > (select avg(salary) from emp x where x.dept = e.dept) order by id;
-- sub9
select id from emp where salary > all (select salary from emp where dept = 20) order by id;
-- sub10
select id from emp where salary = any (select salary from emp where dept = 20) order by id;
-- sub11
select (select name from dept where id = 10) n, (select name from dept where id = 99) m;
-- sub12
select id from emp e where (select count(*) from sales s where s.emp_id = e.id and s.qty > 5) > 2 order by id;
-- sub13
select id, exists (select 1 from sales s where s.emp_id = e.id) ex from emp e order by id;
-- sub14
select id, dept in (select id from dept where budget > 10) x from emp order by id;
-- sub15
select id from emp where (dept, rating) in (select dept, rating from emp where active) order by id;
-- sub16
select id from emp e where dept in (select d.id from dept d where d.budget > e.salary * 100) order by id;
-- sub17
select id from emp where dept not in (10, null) order by id;
-- sub18
select id, dept not in (10, 20) x, dept in (10, null) y from emp order by id;
-- sub19
select max((select count(*) from sales s where s.emp_id=e.id)) from emp e;
-- sub20
select (select name from emp where dept = 10);
-- sub21
select id from emp where (dept, rating) = (10, 5) order by id;
-- sub22
select id from emp e where exists (select 1 from emp f where f.dept = e.dept and f.id <> e.id and f.salary > e.salary) order by id;
-- sub23
select id from emp where dept <> all (select id from dept where region='EU') order by id;
-- sub24
select e.id, (select d.name from dept d where d.id = e.dept) dn, (select sum(qty) from sales s where s.emp_id = e.id and s.region = 'EU') q from emp e where e.id < 6 order by e.id;
-- set1
select dept from emp union select id from dept order by 1;
-- set2
select dept from emp union all select id from dept order by 1;
-- set3
select dept from emp intersect select id from dept order by 1;
-- set4
select dept from emp except select id from dept order by 1;
-- set5
select dept from emp except all select id from dept order by 1;
-- set6
select dept from emp intersect all select dept from emp where id < 4 order by 1;
-- set7
select 1 as a union all select 2.5 order by a;
-- set8
(select id from emp order by id limit 2) union all (select id from dept order by id desc limit 1) order by 1;
-- set9
select id, null as x from emp union all select null, name from dept order by 1, 2;
-- set10
select 1 union select 1 union all select 1;
-- set11
select id from emp where id<3 union select id from emp where id>7 except select 1 order by 1;
-- set12
select 1 union all select 2 intersect select 2 order by 1;
-- set13
select name from emp except select name from emp where id=7 order by 1;
-- n2
select id from emp where name is not null and not (dept = 10 and active) order by id;
-- n3
select region, count(*) from sales where region <> 'EU' group by region order by 1;
-- n4
select id from emp where dept = 10 or null order by id;
-- n5
select id, coalesce(dept = 10, false) a, dept = 10 or active b, dept = 10 and active c, not active d from emp order by id;
-- n6
select id from emp where (name, dept) in (('Ann', 10), (null, 30)) order by id;
-- n7
select id from emp where (name, dept) not in (('Ann', 10), (null, 30)) order by id;
-- n8
select id from emp e where (e.dept, e.rating) in (select emp.dept, emp.rating from emp where emp.active) order by id;
