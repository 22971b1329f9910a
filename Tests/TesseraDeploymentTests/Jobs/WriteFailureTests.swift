import Foundation
import SystemPackage
import TesseraCore
import TesseraTesting
import Testing

@testable import TesseraDeployment

@Suite("What cannot be written")
struct WriteFailureTests {
  private func failure(writing path: FilePath) -> (any Error)? {
    do { try AtomicFile.write("text", to: path) } catch { return error }
    return nil
  }

  @Test("a full disk is one that somebody can make room on")
  func fullDisk() throws {
    let failures: [any Error] = [
      TensorError(code: .fileSystem, message: "cannot write model: \(Errno.noSpace)"),
      TensorError(code: .fileSystem, message: "cannot make a spool: \(Errno.diskQuotaExceeded)"),
      DeploymentError(code: .cannotWrite, message: "cannot write log: \(Errno.noSpace)"),
      Errno.noSpace,
      CocoaError(.fileWriteOutOfSpace),
    ]
    #expect(failures.allSatisfy(WriteFailure.isOne))
  }

  @Test("a folder that is missing, or is a file, is none, and is named")
  func missingFolder() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file("file", [])
    for place in [folder.path.appending("none"), file] {
      let error = try #require(failure(writing: place.appending("model")))
      #expect(!WriteFailure.isOne(error) && WriteFailure.isAny(error))
      #expect("\(error)".contains(place.string))
    }
  }

  @Test("a right that is missing is none")
  func missingRight() {
    let failures: [any Error] = [
      TensorError(code: .fileSystem, message: "cannot write model: \(Errno.permissionDenied)"),
      DeploymentError(code: .cannotWrite, message: "cannot write log: \(Errno.notPermitted)"),
      CocoaError(.fileWriteNoPermission),
    ]
    #expect(!failures.contains(where: WriteFailure.isOne))
    #expect(failures.allSatisfy(WriteFailure.isAny))
  }

  @Test("what is no failure to write is none")
  func others() {
    let failures: [any Error] = [
      TensorError(code: .fileSystem, message: "cannot read model: \(Errno.noSpace)"),
      DeploymentError(code: .notFound, message: "no job"),
      CancellationError(),
    ]
    #expect(!failures.contains { WriteFailure.isOne($0) || WriteFailure.isAny($0) })
  }
}
