-- fil1
select count(*) filter (where active) a, sum(salary) filter (where dept=10) b, avg(bonus) filter (where dept=99) c from emp;
-- fil2
select dept, count(*) filter (where rating > 3) a, max(name) filter (where active) b from emp group by dept order by dept;
-- gs1
select region, product, sum(qty) s from sales group by grouping sets ((region, product), (region), ()) order by region, product, s;
-- gs2
select region, product, sum(qty) s, grouping(region) g, grouping(product) h from sales group by rollup(region, product) order by region, product, g, h;
-- gs3
select region, product, count(*) s, grouping(region, product) g from sales group by cube(region, product) order by region, product, g;
-- gs4
select coalesce(region,'all') r, sum(qty) s from sales where region is not null group by rollup(region) order by r;
-- gs5
select region, sum(qty) s from sales group by rollup(region) having sum(qty) > 50 order by region, s;
-- gs7
select region, product, sum(qty) s from sales group by region, rollup(product) order by region, product, s;
-- gs8
select sum(qty) s, count(*) from nothing n right join sales s on n.a=s.id group by grouping sets ((),());
-- gs9
select b, count(*) from nothing group by rollup(b);
-- gs10
select region, sum(price) s, rank() over (partition by grouping(region) order by sum(price) desc) r from sales group by rollup(region) order by region, s;
-- don1
select distinct on (region) region, id, price from sales order by region, price desc, id;
-- don2
select distinct on (dept) dept, name from emp order by dept, salary desc nulls last, id;
-- hav1
select count(*) from emp having count(*) > 3;
-- hav2
select count(*) from emp having count(*) > 300;
-- hav3
select 1 from emp having true;
-- hav4
select dept from emp group by dept having sum(salary) > (select avg(salary) from emp) order by 1;
-- hav5
select dept, count(*) filter (where active) c from emp group by dept having count(*) filter (where active) > 0 order by 1;
-- hav6
select sum(id) from emp having sum(id) > 1 and max(id) < 100;
-- hav7
select extract(year from hired) y, count(*) from emp group by 1 having count(*) > 1 order by 1;
-- hav8
select case when salary > 4000 then 'hi' else 'lo' end b, count(*) c from emp group by 1 order by 1;
-- hav9
select case when salary > 4000 then 'hi' else 'lo' end b, count(*) c from emp group by case when salary > 4000 then 'hi' else 'lo' end order by b;
-- hav10
select dept + 1 x, dept + 1 + count(*) y from emp group by dept + 1 order by 1;
-- hav11
select dept, dept * 2 d2, max(salary) - min(salary) sp from emp group by dept order by dept;
-- hav12
select upper(name) n, count(*) from emp group by upper(name) having upper(name) like 'A%' order by 1;
-- hav14
select count(*), dept from emp group by dept, dept order by dept;
-- hav15
select id, name, count(*) from emp group by id, name having count(*) > 1;
-- hav16
select coalesce(dept, 0) d, count(*) from emp group by coalesce(dept, 0) order by coalesce(dept, 0);
-- hav17
select sum(salary) as salary from emp group by dept having sum(salary) > 5000 order by sum(salary);
-- hav18
select name as dept, count(*) from emp group by dept, name order by 1, 2;
-- hav19
select dept as d, count(*) as dept from emp group by dept order by d;
-- hav20
select date_trunc('month', hired) as hired, count(*) from emp group by date_trunc('month', hired) order by 1;
-- hav21
select date_trunc('month', hired) as hired, count(*) from emp group by hired order by 1, 2;
