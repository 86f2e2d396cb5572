import ArgumentParser

struct Markers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Phase markers of a run: what came, what is missing, each node's phases; import and plain listening.",
        discussion: "Protocol and how to instrument a workload: docs/markers.md.",
        subcommands: [MarkersShow.self, MarkersListen.self],
        defaultSubcommand: MarkersShow.self
    )
}
