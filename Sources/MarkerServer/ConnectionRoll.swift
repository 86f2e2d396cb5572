import NIOCore
import Synchronization

/// The open connections, to close them at the end.
final class ConnectionRoll: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        channels.withLock { $0[key] = channel }
        channel.closeFuture.whenComplete { _ in self.channels.withLock { $0[key] = nil } }
    }

    var all: [any Channel] { channels.withLock { Array($0.values) } }
}
