//! The rules of pipes, eventfds, timerfds and epoll instances, and of descriptors.

pub mod bits;
pub mod epoll;
pub mod eventfd;
pub mod fd;
pub mod pipe;
pub mod seek;
pub mod timerfd;
