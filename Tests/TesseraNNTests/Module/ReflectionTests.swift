import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

private func linear() throws -> Linear { try Linear(1, 1, using: Generator(seed: 1)) }

private struct Stage {
  let layer: Linear
}

private enum Choice {
  case plain
  case learned(Linear)
}

private class Plain {
  let layer: Linear
  init() throws { layer = try linear() }
}

private final class Below: Plain {}

private final class Holder: Module {
  let held: Any
  init(_ held: Any) { self.held = held }
}

private struct Settings {
  let name = "settings"
  let range = 0.0..<1
  let table: [String: [Int]] = ["a": [1]]
  let choice = Choice.plain
  let nothing: Linear? = nil
}

/// Refers to an object that refers to a module, as a delegate does.
private final class Far {
  let near: Near
  init() throws { near = try Near() }
}

private final class Near {
  let layer: Linear
  init() throws { layer = try linear() }
}

private final class Child: Module {
  let weight: Parameter
  weak var parent: Parent?
  init() throws { weight = try Parameter(Tensor.zeros([1])) }
}

private final class Parent: Module {
  let child: Child
  let own: Parameter
  init() throws {
    child = try Child()
    own = try Parameter(Tensor.zeros([1]))
    child.parent = self
  }
}

@Suite struct ReflectionTests {
  private func message(_ result: ExitTest.Result?) -> String {
    String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  }

  @Test func aStructOfModulesStopsTheProgram() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try Holder(Stage(layer: linear())).parameters
    }
    #expect(message(result).contains("Holder.held"))
    #expect(message(result).contains("Stage"))
  }

  @Test func anArrayOfStructsOfModulesStopsTheProgram() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try Holder([Stage(layer: linear())]).parameters
    }
    #expect(message(result).contains("Holder.held.0"))
  }

  @Test func aModuleInACaseOfAnEnumStopsTheProgram() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try Holder(Choice.learned(linear())).parameters
    }
    #expect(message(result).contains("Holder.held"))
  }

  @Test func anObjectThatIsNoModuleButHoldsOneStopsTheProgram() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = try Holder(Below()).parameters
    }
    #expect(message(result).contains("Holder.held"))
  }

  @Test func valuesWithoutModulesAreLeftAlone() throws {
    let far = try Far()
    #expect(far.near.layer.parameters.count == 2)
    let plain: [Any] = [Settings(), Choice.plain, far, [Settings()], [String: Int](), ["a": 1]]
    for value in plain { #expect(Holder(value).parameters.isEmpty) }
  }

  @Test func aListOfAnythingIsWalkedToItsEnd() throws {
    let list: [Any] = [1, "two", try linear()]
    #expect(
      Holder(list).namedParameters.map(\.name) == ["held.2.weight", "held.2.bias"]
    )
  }

  @Test(.timeLimit(.minutes(20))) func largeTablesOfNumbersAndNamesAreNotWalked() throws {
    let words = (0..<200_000).map { "word \($0)" }
    let table = Dictionary(uniqueKeysWithValues: zip(words, words.indices))
    // Minutes, if every word were looked at.
    for value in [table, words, [table]] as [Any] {
      for _ in 0..<100 { #expect(Holder(value).parameters.isEmpty) }
    }
  }

  @Test func aPartThatRefersToTheWholeRenamesNothing() throws {
    let parent = try Parent()
    #expect(parent.namedParameters.map(\.name) == ["child.weight", "own"])
    expectModuleLaws(parent)
  }
}
