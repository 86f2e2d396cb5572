import Foundation
import Testing

@testable import TraceExport

@Suite struct OutputFileTests {
    @Test func namesOfFilesAreHarmlessAndDifferent() {
        #expect(OutputFile.safeName("../../etc/passwd") == "_.._.._etc_passwd")
        #expect(OutputFile.safeName("") == "_")
        #expect(OutputFile.safeName("KM003C-007965") == "KM003C-007965")
        let names = OutputFile.safeNames(["a/b", "a_b", "ä"])
        #expect(Set(names.values).count == 3)
    }

    @Test func aFileThatIsNotFinishedLeavesNothing() throws {
        let path = NSTemporaryDirectory() + "/outputfile-\(UUID().uuidString)"
        do {
            let file = try OutputFile(path)
            try file.write("half")
            #expect(FileManager.default.fileExists(atPath: path + ".partial"))
        }
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(!FileManager.default.fileExists(atPath: path + ".partial"))
        let file = try OutputFile(path)
        try file.write("whole")
        try file.finish()
        #expect(throws: ExportError.exists(path: path)) { try OutputFile(path) }
        try FileManager.default.removeItem(atPath: path)
    }
}
