#!lua name=con
-- 
redis.register_function('f_636f6e', function() return 1 end)