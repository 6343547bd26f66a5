//! Helper processes between this program and the driver. They are this program itself, started in another role.
//!
//! The driver's TCP port and a browser's debugging port authenticate no caller. Other users of the machine must reach
//! neither:
//!
//! - The **host** ([`HOST`]) moves into its own network namespace, starts the driver there and relays connections from
//!   a socket file to the driver's port. Only the user who runs this program, and root, can open that file or enter
//!   that namespace. If the machine permits no namespace, the host reports that; [`SHARED`] makes it run without one.
//! - The **door** ([`DOOR`]) is the program that the driver starts as its browser. It relays the debugging pipe through
//!   a second socket file to this program, which starts the browser itself. Inside the namespace, the browser would
//!   have no network.
//!
//! The host ends when its standard input closes, which happens whenever this program ends. The kernel kills the driver
//! with the host. The browser ends when its debugging pipe closes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Signal, getegid, geteuid, kill_process, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use crate::failpoints;

/// The first argument of a host.
pub(crate) const HOST: &str = "driver-host";
/// The first argument of the process that becomes the driver.
const DRIVER: &str = "driver-exec";
/// The file name of a door. The driver starts its browser without our arguments, so the name must identify the role.
pub(crate) const DOOR: &str = "browser-door";
/// The socket beside a door, at which this program waits for it.
pub(crate) const DOOR_SOCKET: &str = "browser.sock";
/// Makes a host stay in the network in which it was started.
pub(crate) const SHARED: &str = "--shared";
/// Makes a host try its namespace and end.
pub(crate) const PROBE: &str = "--probe";
/// The prefixes of the status lines that a host, or the process that becomes the driver, prints.
pub(crate) const READY: &str = "ready ";
pub(crate) const REFUSED: &str = "refused ";
pub(crate) const FAILED: &str = "failed ";

/// Runs this process as a host, a driver or a door if its arguments say so. Returns `None` if they do not, and the
/// normal program continues.
///
/// Call it before the process has a second thread, because a process with several threads cannot change namespaces.
pub fn run_as_host(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter();
    let name = arguments.next()?;
    let ended = if Path::new(&name).file_name() == Some(DOOR.as_ref()) {
        door(Path::new(&name), arguments)
    } else {
        match arguments.next()?.to_str()? {
            HOST => host(arguments),
            DRIVER => become_driver(arguments),
            _ => return None,
        }
    };
    Some(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{FAILED}{error}");
            ExitCode::FAILURE
        }
    })
}

/// Runs `driver-host [--shared] --for=FOLDER --socket=FILE -- DRIVER ARGUMENTS…`. The folder only makes the process
/// findable by its command line.
fn host(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let (mut is_shared, mut is_probe, mut socket) = (false, false, None);
    for argument in arguments.by_ref().take_while(|argument| argument != "--") {
        if argument == SHARED {
            is_shared = true;
        } else if argument == PROBE {
            is_probe = true;
        } else if let Some(path) = argument.as_bytes().strip_prefix(b"--socket=") {
            socket = Some(OsString::from_vec(path.to_vec()));
        }
    }
    if !is_shared && let Err(error) = own_network() {
        println!("{REFUSED}{error}");
        return Ok(());
    }
    if is_probe {
        println!("{READY}");
        return Ok(());
    }
    let socket = socket.ok_or_else(|| io::Error::other("no socket is named"))?;
    let listener = UnixListener::bind(Path::new(&socket))?;
    let mut driver = Command::new("/proc/self/exe")
        .arg(DRIVER)
        .arg(std::process::id().to_string())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = driver
        .stdout
        .take()
        .ok_or_else(|| io::Error::other("no output"))?;
    let mut lines = BufReader::new(output).lines();
    let Some(port) = port(&mut lines)? else {
        // If the driver printed an error, it has been forwarded already.
        driver.wait()?;
        return Ok(());
    };
    let pid = driver.id();
    std::thread::spawn(move || lines.for_each(drop));
    std::thread::spawn(move || relay(&listener, port));
    if !failpoints::disables("orphans") {
        std::thread::spawn(move || {
            // Nothing is ever written to standard input; it closes when this program ends.
            let _ = pass_on(&mut io::stdin(), &mut io::sink());
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
    }
    println!("{READY}{pid}");
    driver.wait()?;
    Ok(())
}

/// Moves this process into a new network namespace, which has a loopback device and no other process.
fn own_network() -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    // A user namespace lets an ordinary user create a network namespace. Root does not need one, and may be denied one.
    if unshare(UnshareFlags::NEWNET).is_err() {
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)?;
        // The same user and group inside as outside.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write(
            "/proc/self/uid_map",
            format!("{user} {user} 1", user = user.as_raw()),
        )?;
        fs::write(
            "/proc/self/gid_map",
            format!("{group} {group} 1", group = group.as_raw()),
        )?;
    }
    bring_loopback_up()
}

#[expect(unsafe_code, reason = "the call is unsafe only because of one flag, FILES")]
fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: FILES is not passed, so the table of file descriptors stays shared.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Brings up the loopback device, which has number 1 and is down in a new namespace (rtnetlink(7)).
fn bring_loopback_up() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const NLM_F_ACK: u16 = 4;
    const NLMSG_ERROR: u16 = 2;
    const IFF_UP: u32 = 1;
    const LENGTH: u32 = 32;
    let mut message = Vec::with_capacity(LENGTH as usize);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    // Sequence and sender are zero, because this socket sends one message.
    message.extend([0; 8]);
    // The family and type of the device: any.
    message.extend([0; 4]);
    message.extend(1_i32.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    // NETLINK_ROUTE is the family's first protocol.
    let socket = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let mut socket = File::from(socket);
    socket.write_all(&message)?;
    let mut answer = [0; 512];
    let length = socket.read(&mut answer)?;
    let kind = answer.get(4..6).filter(|_| length >= 20);
    let error = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match (kind, error.map(i32::from_ne_bytes)) {
        (Some(kind), Some(error)) if kind == NLMSG_ERROR.to_ne_bytes() => match error {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(-error)),
        },
        _ => Err(io::Error::other("unexpected answer of the kernel")),
    }
}

/// Replaces this process with the driver, which the kernel kills when the host ends.
fn become_driver(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let host = arguments.next().unwrap_or_default();
    let driver = arguments.next().unwrap_or_default();
    if !failpoints::disables("orphans") {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // If the host ended before that line, its end no longer kills this process.
        if host.to_str() != Some(parent_id().to_string().as_str()) {
            return Ok(());
        }
    }
    let error = Command::new(&driver).args(arguments).exec();
    Err(io::Error::other(format!(
        "{} does not start: {error}",
        Path::new(&driver).display()
    )))
}

/// Returns the port that the driver reports. Returns `None` if the driver ended first; its error has then been
/// forwarded.
fn port(lines: &mut impl Iterator<Item = io::Result<String>>) -> io::Result<Option<u16>> {
    for line in lines {
        let line = line?;
        if line.starts_with(FAILED) {
            println!("{line}");
            return Ok(None);
        }
        if let Some((_, port)) = line.rsplit_once("successfully on port ")
            && let Ok(port) = port.trim_end_matches('.').parse()
        {
            return Ok(Some(port));
        }
    }
    Ok(None)
}

/// Relays each connection to the driver's port.
fn relay(listener: &UnixListener, port: u16) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let driver = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            let (mut from, mut to) = (stream.try_clone()?, driver.try_clone()?);
            std::thread::spawn(move || {
                let _ = pass_on(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            let (mut from, mut to) = (driver, stream);
            let _ = pass_on(&mut from, &mut to);
            to.shutdown(Shutdown::Both)
        });
    }
}

/// Sends the switches with which the driver wants its browser, then relays the debugging pipe. The driver writes to
/// descriptor 3 and reads from 4. Ends when either side ends.
fn door(own_path: &Path, arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut stream = UnixStream::connect(own_path.with_file_name(DOOR_SOCKET))?;
    let mut switches = Vec::new();
    for argument in arguments {
        switches.extend(argument.as_bytes());
        switches.push(0);
    }
    let length = u32::try_from(switches.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(&switches)?;
    let mut from_driver = File::open("/proc/self/fd/3")?;
    let mut to_driver = File::options().write(true).open("/proc/self/fd/4")?;
    let mut from_browser = stream.try_clone()?;
    std::thread::spawn(move || {
        let _ = pass_on(&mut from_browser, &mut to_driver);
        // The driver treats the end of this process as the end of its browser.
        std::process::exit(0);
    });
    pass_on(&mut from_driver, &mut stream)
}

/// Forwards data as soon as it is read. [`io::copy`] would let the kernel move it from a socket into a pipe, and the
/// pipe's reader would notice it only with the next message.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length])?,
        }
    }
}
