import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct PersonalTensorsTests {
  let personal: PersonalTensors
  let memory = SiteMemory()

  init() throws { personal = try PersonalTensors(["b"]) }

  @Test(arguments: [Exchange.Kind.weights, .weightDifference])
  func theSiteGetsItsOwnTensorsBack(kind: Exchange.Kind) throws {
    let task = Exchange.weights(try Sample.reference())
    let first = try personal.apply(to: task, in: Sample.context(.site, .task, memory: memory))
    #expect(try first.tensors.isIdentical(to: task.tensors))

    let trained =
      kind == .weights
      ? Exchange.weights(try Sample.weights()) : .difference(try Sample.change())
    let answer = try personal.apply(
      to: trained,
      in: Sample.context(reference: first, memory: memory)
    )
    #expect(answer.tensors.names == ["a"])
    #expect(answer.metadata.excluded == ["b"])

    let next = try personal.apply(
      to: task,
      in: Sample.context(.site, .task, task: .evaluate, memory: memory)
    )
    #expect(next.tensors.names == ["a", "b"])
    #expect(try next["b"].isIdentical(to: #require(Sample.weights()["b"])))
    #expect(try next["a"].isIdentical(to: #require(Sample.reference()["a"])))
  }

  @Test func whatTheServerLeavesOutIsFilledIn() throws {
    memory["personal-tensors"] = try Sample.state(("b", Sample.golden("model/b")))
    let task = try ExcludeTensors(["b"])
      .apply(to: .weights(Sample.reference()), in: Sample.context(.server, .task))
    let result = try personal.apply(to: task, in: Sample.context(.site, .task, memory: memory))
    #expect(result.tensors.names == ["a", "b"])
    #expect(result.metadata.excluded.isEmpty)
  }

  @Test func onlyTrainingIsRemembered() throws {
    let answer = Exchange.weights(try Sample.weights())
    for task in [TaskName.submitModel, .evaluate, TaskName("tune")] {
      let sent = try personal.apply(to: answer, in: Sample.context(task: task, memory: memory))
      #expect(sent.tensors.names == ["a"])
    }
    let initial = try personal.apply(
      to: answer,
      in: Sample.context(task: .initialize, memory: memory)
    )
    #expect(initial.tensors.names == ["a", "b"])
    #expect(memory.contents.isEmpty)
  }

  @Test func theServerTakesThemOutOfOtherAnswers() throws {
    let task = Exchange.weights(try Sample.reference())
    #expect(
      try personal.apply(to: task, in: Sample.context(.server, .task)).tensors.names == ["a", "b"]
    )
    let answer = try personal.apply(
      to: task,
      in: Sample.context(.server, .result, memory: memory)
    )
    #expect(answer.metadata.excluded == ["b"])
    #expect(memory.contents.isEmpty)
  }

  @Test func aRememberedTensorOfAnotherShapeIsAnError() throws {
    memory["personal-tensors"] = try Sample.state(("b", Tensor.zeros([4])))
    expectRefusal(.badTask, naming: "site-4", "'b'", "[4]", "[13]") {
      _ = try personal.apply(
        to: .weights(Sample.reference()),
        in: Sample.context(.site, .task, memory: memory)
      )
    }
  }

  @Test func aTensorThatIsNotFiniteIsNotRemembered() throws {
    let answer = Exchange.weights(
      try Sample.state(("a", Tensor.zeros([2])), ("b", Tensor.full(.nan, shape: [2])))
    )
    expectRefusal(naming: "site-4", "'b'", "not finite") {
      _ = try personal.apply(to: answer, in: Sample.context(memory: memory))
    }
    #expect(memory.contents.isEmpty)
  }
}
