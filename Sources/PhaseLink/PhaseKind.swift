/// The phase taxonomy: which kinds exist, and which wins where spans overlap.
package enum PhaseKind {
    package static let modelDownload = "model_download"
    package static let modelUpload = "model_upload"
    package static let appStart = "app_start"
    package static let pollOut = "poll_out"
    package static let awaitWork = "await_work"
    package static let idle = "idle"
    package static let appWait = "app_wait"
    package static let datasetReceive = "dataset_receive"
    package static let queryDataset = "query_dataset"
    package static let run = "run"
    package static let distribute = "distribute"

    /// User functions and strategy methods: what the node was asked to do.
    private static let work: Set<String> = [
        "local_train", "evaluate", "sync_pattern", "configure_train", "configure_evaluate", "aggregate_train",
        "aggregate_evaluate", "central_eval",
    ]

    /// Kinds that cover other phases: reported beside the partition, never summed with it.
    private static let envelopes: Set<String> = [appWait, datasetReceive]

    /// Work a client process runs for the node, ended by the process's death.
    package static func isWork(_ kind: String) -> Bool { work.contains(kind) || kind.hasPrefix("query_") }

    package static func isEnvelope(_ kind: String) -> Bool { envelopes.contains(kind) }

    /// True for kinds of the taxonomy; any other kind is the user's own.
    package static func isKnown(_ kind: String) -> Bool {
        isWork(kind) || isEnvelope(kind)
            || [modelDownload, modelUpload, appStart, pollOut, awaitWork, idle, run, distribute].contains(kind)
    }

    /// Order of precedence: the lowest rank wins where spans overlap. On the coordinator `run` takes what its own
    /// phases leave: waiting for replies.
    package static func rank(_ kind: String) -> Int {
        switch kind {
        case modelUpload: 1
        case modelDownload, distribute: 2
        case appStart: 3
        case pollOut: 4
        case awaitWork: 5
        case run: 6
        case idle: 7
        default: 0
        }
    }
}
