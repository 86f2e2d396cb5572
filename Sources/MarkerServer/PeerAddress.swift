import NIOCore

/// The other end of a connection, as far as admission is concerned.
struct PeerAddress: Sendable, Hashable {
    var socket: SocketAddress?

    var isLoopback: Bool {
        switch socket {
        case .v4: socket?.ipAddress?.hasPrefix("127.") == true
        case .v6: socket?.ipAddress == "::1" || socket?.ipAddress?.hasPrefix("::ffff:127.") == true
        case .unixDomainSocket: true
        case nil: false
        }
    }
}

extension MarkerEndpoint {
    /// True if only this machine can reach the address. A name counts as loopback only if it is `localhost`.
    var isLoopback: Bool {
        if host == "localhost" { return true }
        guard let address = try? SocketAddress(ipAddress: host, port: port) else { return false }
        return PeerAddress(socket: address).isLoopback
    }
}
