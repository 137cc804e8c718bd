"""The shell: it drives flows on a port. The blocking one is made from the asyncio one."""
