// The loop of the README, and what it comes to.
import Tessera

let data = try FashionMNIST.load(.train)
let key = RandomKey(seed: 1)
let model = try ImageClassifier(using: Generator(key: key["weights"]))
let optimizer = try SGD(model.parameters, learningRate: 0.05, momentum: 0.9)
for epoch in 1...3 {
  let batches = try data.batches(of: 64, shuffledBy: key["epoch"][epoch])
  for number in batches.numbers {
    let batch = try batches.batch(number)
    try optimizer.step(minimizing: crossEntropy(model(batch.images), batch.labels))
  }
}
try model.state().write(to: "model.safetensors")

let test = try FashionMNIST.load(.test).batches(of: 1000).batch(0)
let right = try withoutGradient {
  try model(test.images).argmax(along: 1).equals(test.labels).sum().itemAsInteger()
}
print("accuracy on 1,000 test images: \(Double(right) / 10) %")
