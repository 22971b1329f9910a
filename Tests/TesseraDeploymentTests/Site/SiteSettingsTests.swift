import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraDeployment
import TesseraTesting
import Testing

@Suite("What a site has")
struct SiteSettingsTests {
  private func settings(_ text: String) throws -> SiteSettings {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("data.yml")
    try text.write(toFile: path.string, atomically: true, encoding: .utf8)
    return try SiteSettings(contentsOf: path)
  }

  @Test("GPUs are so many, or those of some numbers")
  func gpus() throws {
    let many = try settings("resources: {gpus: 3}\n")
    #expect(many.gpus == [0, 1, 2] && many.resources.gpus == 3)
    let some = try settings("resources: {gpus: [2, 0]}\n")
    #expect(some.gpus == [2, 0] && some.resources.gpus == 2)
    let none = try settings("resources: {gpus: 0}\n")
    #expect(none.gpus == [] && none.resources.gpus == 0)
  }

  @Test("GPUs that cannot be are an error", arguments: ["-1", "[1, 1]", "[-1]", "many"])
  func wrong(gpus: String) {
    #expect(throws: ConfigurationError.self) { try settings("resources: {gpus: \(gpus)}\n") }
  }
}
