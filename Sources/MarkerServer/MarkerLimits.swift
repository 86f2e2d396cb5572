/// Bounds on what peers may take up.
package struct MarkerLimits: Sendable {
    /// Connections beyond this are refused.
    package var connections = 1024
    /// Bytes read from one connection before its lines must be stored. Memory of all connections is bounded by this
    /// times their number.
    package var bytesPerBatch = 65_536
    /// Datagrams that may wait for storage; more are dropped and counted.
    package var waitingDatagrams = 2048
    /// How long a peer from beyond loopback may take to send its token, s.
    package var authSeconds: Int64 = 5
    /// A node with a clock answerer is asked at least this often while it is quiet, s.
    package var burstIntervalSeconds: Int64 = 30
    package var pingsPerBurst = 16
    package var pingSpacingMilliseconds: Int64 = 15

    package init() {}
}
