import CTessera
import TesseraCore
import Testing

@Suite struct SingleThreadTests {
  private struct Failure: Error {}

  @Test func theThreadsThatAnOperationUsesAreGivenBack() throws {
    let before = tessera_threads()
    defer { tessera_use_threads(before) }
    tessera_use_threads(2)
    #expect(onSingleThread { tessera_threads() } == 1)
    #expect(tessera_threads() == 2)
    #expect(throws: Failure.self) { try onSingleThread { throw Failure() } }
    #expect(tessera_threads() == 2)
  }
}
