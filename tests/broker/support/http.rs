//! An HTTP/1.1 client over one kept connection: as much as asking our own server takes.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const LARGEST_BODY_BYTES: usize = 64 << 20;

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// The first header of a name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Asks one server.
pub struct HttpClient {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    timeout: Duration,
}

impl HttpClient {
    pub fn new(address: SocketAddr) -> HttpClient {
        HttpClient { address, connection: None, timeout: TIMEOUT }
    }

    /// So long it waits for an answer, in place of ten seconds.
    pub fn waiting(self, timeout: Duration) -> HttpClient {
        HttpClient { timeout, ..self }
    }

    /// GETs a path. A kept connection that the server has closed meanwhile is opened anew, once.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.get_with(path, "")
    }

    /// The same with further headers: lines that end with CRLF.
    pub fn get_with(&mut self, path: &str, headers: &str) -> io::Result<Response> {
        self.ask(&format!("GET {path}"), headers, "")
    }

    /// POSTs a body, which may be empty, with headers as above. It is sent once.
    pub fn post(&mut self, path: &str, headers: &str, body: &str) -> io::Result<Response> {
        self.send(&format!("POST {path}"), headers, body)
    }

    /// The same by any method: `what` is method and path.
    pub fn send(&mut self, what: &str, headers: &str, body: &str) -> io::Result<Response> {
        let length =
            if body.is_empty() && what.starts_with("GET ") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.begin(what, &format!("{length}{headers}"), body)
    }

    /// The same with as much of the body as is there; the headers say how long all of it is.
    pub fn begin(&mut self, what: &str, headers: &str, body: &str) -> io::Result<Response> {
        self.connection = None;
        self.ask(what, headers, body)
    }

    fn ask(&mut self, what: &str, headers: &str, body: &str) -> io::Result<Response> {
        let request = format!("{what} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n{headers}\r\n{body}", self.address);
        if let Some(kept) = self.connection.take()
            && let Ok(response) = self.exchange(kept, &request)
        {
            return Ok(response);
        }
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        self.exchange(BufReader::new(stream), &request)
    }

    fn exchange(&mut self, mut connection: BufReader<TcpStream>, request: &str) -> io::Result<Response> {
        connection.get_mut().write_all(request.as_bytes())?;
        let status_line = read_line(&mut connection)?;
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| malformed(&status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(&mut connection)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, headers, body: String::new() };
        let body = match (response.header("content-length"), response.header("transfer-encoding")) {
            (_, Some("chunked")) => read_chunks(&mut connection)?,
            (Some(length), _) => read_exactly(&mut connection, length.parse().map_err(|_| malformed(length))?)?,
            _ => Vec::new(),
        };
        response.body = String::from_utf8(body).map_err(|_| malformed("a body that is not UTF-8"))?;
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_chunks(connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = read_line(connection)?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16).map_err(|_| malformed(&size))?;
        body.extend(read_exactly(connection, size)?);
        read_line(connection)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(connection: &mut impl Read, bytes: usize) -> io::Result<Vec<u8>> {
    if bytes > LARGEST_BODY_BYTES {
        return Err(malformed("a body above 64 MiB"));
    }
    let mut body = vec![0; bytes];
    connection.read_exact(&mut body)?;
    Ok(body)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not HTTP as expected: {what}"))
}
