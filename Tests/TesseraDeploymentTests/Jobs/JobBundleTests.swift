import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraDeployment
import TesseraTesting
import Testing

/// A job's folder as it is signed, kept and read again.
@Suite struct JobBundleTests {
  private let folder: TemporaryFolder
  private let kits: Kits
  private let job: FilePath

  init() throws {
    folder = try TemporaryFolder()
    kits = try Kits(in: folder.path)
    job = folder.path.appending("job")
    try write("job.yml", "name: ages\n")
    try write("train.sh", "#!/bin/sh\n")
    chmod(job.appending("train.sh").string, 0o755)
  }

  private func write(_ name: String, _ text: String) throws {
    let path = job.pushing(FilePath(name))
    try FileManager.default.createDirectory(
      atPath: path.removingLastComponent().string,
      withIntermediateDirectories: true
    )
    try text.write(toFile: path.string, atomically: true, encoding: .utf8)
  }

  private func bundle() throws -> JobBundle {
    try JobBundle(of: job, name: "ages", signedWith: kits.kit("ada"))
  }

  @Test func dataOfSimulationsStayWhereTheyAre() throws {
    try write("data.yml", "folders: {north: data/north, south: more/south.csv}\n")
    try write("data/north/patients.csv", "age\n40\n")
    try write("more/south.csv", "age\n50\n")
    try write("more/helper.py", "")
    let bundle = try bundle()
    #expect(bundle.files.map(\.path) == ["job.yml", "more/helper.py", "train.sh"])
    #expect(bundle.leftOut == ["data.yml", "data/north", "more/south.csv"])
  }

  @Test func whoseDataAreTheWholeFolderIsTold() throws {
    try write("data.yml", "folders: {north: .}\n")
    #expect(throws: ConfigurationError.self) { try bundle() }
  }

  @Test func recordsOfRunsAreNoPartOfAJob() throws {
    try write("run/run.json", "{}")
    try write("run/model.safetensors", "")
    #expect(try bundle().files.map(\.path) == ["job.yml", "train.sh"])
  }

  @Test func programsStayProgramsAndWhatTheyLeaveIsNoPartOfTheJob() throws {
    let bundle = try bundle()
    let place = folder.path.appending("kept")
    try bundle.unpack(into: place)
    let files = JobBundle.files(in: place)
    #expect(access(files.appending("train.sh").string, X_OK) == 0)
    #expect(access(files.appending("job.yml").string, X_OK) != 0)
    try Data("weights".utf8).write(to: URL(filePath: files.appending("checkpoint.pt").string))
    let read = try JobBundle(contentsOf: place)
    #expect(read.digest == bundle.digest && read.files == bundle.files)
    #expect(read.files.last?.isExecutable == true)
    try Data("#!/bin/sh\nother".utf8).write(to: URL(filePath: files.appending("train.sh").string))
    #expect(throws: DeploymentError.self) { try JobBundle(contentsOf: place) }
  }

  @Test func noTwoThatAreSignedAreTheSame() throws {
    #expect(try bundle().digest != bundle().digest)
  }

  @Test(arguments: ["../../x", "", "a/b", "Ages", "-x"]) func namesArePartOfPaths(
    name: String
  ) throws {
    let text = String(decoding: try bundle().manifestText, as: UTF8.self)
      .replacingOccurrences(of: "\"name\":\"ages\"", with: "\"name\":\"\(name)\"")
    #expect(text.contains("\"name\":\"\(name)\""))
    let error = #expect(throws: DeploymentError.self) {
      try JobBundle(manifestText: Data(text.utf8), signature: Data(), files: bundle().files)
    }
    #expect(error?.code == .altered)
  }
}
