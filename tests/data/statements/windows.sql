-- win5
select id, row_number() over (partition by dept order by salary desc, id) r, rank() over (partition by dept order by salary desc) k, dense_rank() over (partition by dept order by salary desc) d from emp order by id;
-- win6
select id, lag(salary) over (order by id) l, lead(salary, 2) over (order by id) m, lag(salary,1,0) over (order by id) n from emp order by id;
-- win7
select id, first_value(name) over (partition by dept order by id) f, last_value(name) over (partition by dept order by id) l, last_value(name) over (partition by dept order by id rows between unbounded preceding and unbounded following) m from emp order by id;
-- win8
select id, ntile(3) over (order by id) n, percent_rank() over (order by rating) p, cume_dist() over (order by rating) c from emp order by id;
-- win9
select id, count(*) over () c, count(rating) over (partition by dept) d, max(salary) over (partition by dept) m from emp order by id;
-- win10
select dept, sum(salary) s, rank() over (order by sum(salary) desc) r from emp group by dept order by r, dept;
-- win11
select dept, sum(sum(salary)) over () t, sum(salary)/sum(sum(salary)) over () as share from emp group by dept order by dept;
-- win14
select id, sum(qty) over (order by id rows between 1 preceding and 1 following) s from sales order by id;
-- win15
select id, max(qty) over (order by id rows between 3 preceding and 1 preceding) s from sales order by id;
-- win17
select id, nth_value(name, 2) over (partition by dept order by id) f from emp order by id;
-- win18
select * from (select id, row_number() over (partition by region order by price desc, id) rn from sales) t where rn <= 2 order by id;
-- win22
select id, rank() over (order by rating desc nulls last) r, rank() over (order by rating desc) r2, rank() over (order by rating nulls first) r3 from emp order by id;
-- win23
select id, first_value(salary) over (order by rating desc, id) f from emp order by id;
-- win24
select id, salary - lag(salary) over (partition by dept order by id) as d from emp order by id;
-- win26
select id, sum(bonus) over (order by id) s from emp order by id;
-- win27
select id, count(*) over (partition by region order by id rows between 1 preceding and 1 following) s from sales order by id;
-- win28
select id, sum(qty) over (order by id range between 5 preceding and current row) s from sales order by id;
-- win29
select id, sum(qty) over (order by id groups between 1 preceding and current row) s from sales order by id;
-- win30
select distinct dept, count(*) over (partition by dept) c from emp order by dept;
-- win31
select id, sum(qty) over (partition by region order by day rows between current row and unbounded following) s from sales where id < 20 order by id;
-- win32
select id, bool_and(active) over (partition by dept) s, stddev(bonus) over (partition by dept) t from emp order by id;
-- tie5
select id, avg(salary) over (order by dept) a, sum(bonus) over (order by dept desc) b, min(id) over (order by hired) c from emp order by id;
-- tie6
select id, count(rating) over (order by dept) a, bool_or(active) over (order by dept) b from emp order by id;
-- tie9
select id, sum(salary) over (order by rating desc) s, last_value(id) over (partition by dept order by salary) l from emp where id not in (2,8) order by id;
-- tie10
select id, sum(id) over (order by extract(month from hired)) s from emp order by id;
-- tie11
select dept, count(*) c, sum(count(*)) over (order by count(*)) r from emp group by dept order by dept;
-- tie12
select id, stddev(id) over (order by dept) s, count(distinct_id) over (order by dept) from (select id, dept, id as distinct_id from emp) x order by id;
-- tie13
select id, string_agg(name, ',') over (partition by dept order by id) s from emp order by id;
