import Foundation
import Synchronization

/// Serves the emulated meters over USB/IP: to the `usbip` tool of any Linux machine, or straight into this machine's kernel.
///
/// One thread for all connections. The bench must run on the real clock.
package final class USBIPServer: Sendable {
    private struct Control: Sendable {
        var stopRequested = false
        var isRunning = false
        var attached = 0
        var imported = 0
    }

    private let world: VirtualWorld
    private let pipe = WakePipe()
    private let control = Mutex(Control())
    private let finished = DispatchSemaphore(value: 0)
    /// Port the server listens on; 0 if it does not.
    package let port: Int
    private let listener: Int32

    /// Binds the listener.
    ///
    /// - Parameters:
    ///   - host: IPv4 address or name; nil = no listener (direct attach only).
    ///   - allowRemote: whoever reaches the port can use the meters; anything but loopback needs this.
    package init(bench: VirtualBench, host: String?, port: Int = 3240, allowRemote: Bool = false)
        throws(VirtualBenchFailure)
    {
        world = bench.world
        guard let host else {
            listener = -1
            self.port = 0
            return
        }
        let address = try SocketAddress4(resolving: host, port: port)
        guard address.isLoopback || allowRemote else { throw .notLoopback(host: host) }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw .socket(what: "Socket for USB/IP", errno: errno) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard address.with({ bind(descriptor, $0, $1) }) == 0, listen(descriptor, 64) == 0 else {
            let code = errno
            close(descriptor)
            throw .socket(what: "Listening on \(host) port \(port)", errno: code)
        }
        listener = descriptor
        self.port = address.localPort(of: descriptor)
    }

    /// Meters taken by a client or attached to the kernel just now.
    package var connectedMeters: Int { control.withLock { $0.imported } }

    /// Starts serving. `attach`: also puts every meter into this machine's kernel.
    ///
    /// - Throws: `attach` if the kernel does not take them; nothing is attached then.
    package func start(attach: Bool = false) throws(VirtualBenchFailure) {
        let loop = USBIPLoop(world: world, pipe: pipe, listener: listener)
        if attach { try loop.attachAll() }
        control.withLock { $0.isRunning = true }
        world.addWaker(pipe)
        let thread = Thread { [self] in
            while !control.withLock({ $0.stopRequested }) {
                loop.turn()
                control.withLock { $0.imported = loop.connectedMeters }
            }
            loop.close()
            finished.signal()
        }
        thread.name = "usbip"
        thread.start()
    }

    /// Unplugs every meter and ends. Safe to call twice.
    package func stop() {
        let wait = control.withLock { control -> Bool in
            defer { control.stopRequested = true }
            return control.isRunning && !control.stopRequested
        }
        guard wait else { return }
        pipe.wake()
        finished.wait()
    }
}

extension SocketAddress4 {
    /// Port that a bound socket has.
    func localPort(of descriptor: Int32) -> Int {
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutableBytes(of: &bound) { bytes in
            bytes.baseAddress.map { getsockname(descriptor, $0.assumingMemoryBound(to: sockaddr.self), &length) }
        }
        return Int(UInt16(bigEndian: bound.sin_port))
    }
}
