import ArgumentParser

struct DetaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deta",
        abstract: "Plans energy trade, task allocation and sleep of a fleet for the least carbon.",
        discussion: """
            Example: wattbench deta solve fleet.json.gz --variant all -o answer.json
                     wattbench deta audit fleet.json.gz answer.json
            """,
        subcommands: [
            DetaBuild.self, DetaSolve.self,
            DetaAudit.self,
            DetaGenerate.self,
        ]
    )
}
