"""What two or more plugins need: stores, jobs, bearers, clocks. Drivers load when a process uses them."""
