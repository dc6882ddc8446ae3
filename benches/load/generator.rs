//! The load generator: one thread, keep-alive HTTP/1.1, whole requests prepared beforehand and answers read only as far
//! as the count needs. A generator that costs as much as the server would hide half of every difference, because all
//! of them share the machine's cores.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::LocalSet,
};

/// What is sent, and what counts as accepted.
pub trait Source: Send + 'static {
    /// Appends the next whole request of this connection.
    fn write(&mut self, connection: usize, into: &mut Vec<u8>);

    /// How the body of an accepted answer begins.
    fn accepted(&self) -> &'static [u8];
}

/// How much, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub address: SocketAddr,
    pub connections: usize,
    pub warm_up: Duration,
    pub measured: Duration,
    /// Requests per second over all connections; as many as are answered when absent.
    pub rate: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Shots {
    /// Accepted in the measured time.
    pub accepted: u64,
    /// Accepted at all, warm-up and tail included.
    pub accepted_in_all: u64,
    /// Answered with anything else, or not at all.
    pub failed: u64,
    /// The first answer that was not accepted.
    pub complaint: Option<String>,
    /// The measured time in seconds.
    pub seconds: f64,
    /// Microseconds of each accepted request in the measured time, ascending.
    latencies: Vec<u32>,
}

impl Shots {
    /// Accepted requests per second.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
        let accepted = self.accepted as f64;
        accepted / self.seconds
    }

    /// The latency that this share of requests stays within, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into the run's own list"
        )]
        let at = (self.latencies.len() as f64 * share) as usize;
        let found = self.latencies.get(at.min(self.latencies.len().saturating_sub(1)));
        found.map_or(f64::NAN, |micros| f64::from(*micros) / 1_000.0)
    }
}

/// Fires on a thread of its own and gives what came of it, with the source for another round.
pub fn fire<S: Source>(plan: Plan, source: S) -> io::Result<(Shots, S)> {
    let firing = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(all(plan, source))
    })?;
    firing.join().unwrap_or_else(|_| Err(io::Error::other("the load generator panicked")))
}

/// When what happens.
#[derive(Clone, Copy)]
struct Times {
    begin: Instant,
    end: Instant,
    interval: Option<Duration>,
}

async fn all<S: Source>(plan: Plan, source: S) -> io::Result<(Shots, S)> {
    let (source, shots) = (Rc::new(RefCell::new(source)), Rc::new(RefCell::new(Shots::default())));
    let mut streams = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        let stream = TcpStream::connect(plan.address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let begin = Instant::now() + plan.warm_up;
    let connections = u32::try_from(plan.connections).unwrap_or(u32::MAX);
    let interval = plan.rate.map(|rate| Duration::from_secs_f64(f64::from(connections) / rate));
    let times = Times { begin, end: begin + plan.measured, interval };
    let together = LocalSet::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let (source, shots) = (Rc::clone(&source), Rc::clone(&shots));
        // Paced connections begin one after the other, so that they do not fire in volleys.
        let first = times.interval.map(|interval| {
            let offset = interval * u32::try_from(number).unwrap_or(0) / connections;
            Instant::now() + offset
        });
        together.spawn_local(async move {
            if let Err(error) = shoot(number, stream, times, first, &source, &shots).await {
                let mut shots = shots.borrow_mut();
                shots.failed += 1;
                shots.complaint.get_or_insert_with(|| error.to_string());
            }
        });
    }
    together.await;
    let mut shots = shots.take();
    shots.seconds = plan.measured.as_secs_f64();
    shots.latencies.sort_unstable();
    let source = Rc::into_inner(source).ok_or_else(|| io::Error::other("a connection outlived the load"))?;
    Ok((shots, source.into_inner()))
}

async fn shoot<S: Source>(
    number: usize,
    mut stream: TcpStream,
    times: Times,
    mut next: Option<Instant>,
    source: &RefCell<S>,
    shots: &RefCell<Shots>,
) -> io::Result<()> {
    let accepted = source.borrow().accepted();
    let (mut request, mut answer) = (Vec::with_capacity(2048), Vec::with_capacity(4096));
    loop {
        // A request that is late because the last answer was counts from when it was due; one that waits for its time
        // counts from its sending, because the timer's own millisecond is nobody's latency.
        let due = match (next, times.interval) {
            (Some(due), Some(interval)) => {
                next = Some(due + interval);
                if due > Instant::now() {
                    tokio::time::sleep_until(due.into()).await;
                    Instant::now()
                } else {
                    due
                }
            }
            _ => Instant::now(),
        };
        if due >= times.end {
            return Ok(());
        }
        request.clear();
        source.borrow_mut().write(number, &mut request);
        stream.write_all(&request).await?;
        let (status, body) = read(&mut stream, &mut answer).await?;
        let done = Instant::now();
        let mut shots = shots.borrow_mut();
        if status == 200 && answer[body..].starts_with(accepted) {
            shots.accepted_in_all += 1;
            if due >= times.begin && done <= times.end {
                shots.accepted += 1;
                shots.latencies.push(u32::try_from((done - due).as_micros()).unwrap_or(u32::MAX));
            }
        } else {
            shots.failed += 1;
            let text = || format!("{status}: {}", String::from_utf8_lossy(&answer[body..]));
            shots.complaint.get_or_insert_with(text);
        }
    }
}

/// Reads one answer; gives its status and where its body begins.
async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<(u16, usize)> {
    answer.clear();
    let odd = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let body = loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = std::str::from_utf8(&answer[..body]).map_err(|_| odd("the head is no text"))?;
    let status = head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(|| odd("no status"))?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse::<usize>().ok() } else { None }
    });
    let whole = body + length.ok_or_else(|| odd("no length"))?;
    while answer.len() < whole {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((status, body))
}
