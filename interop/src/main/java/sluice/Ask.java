package sluice;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.tensorflow.SavedModelBundle;
import org.tensorflow.TensorFlow;
import org.tensorflow.types.family.TType;

/**
 * Asks pushed versions, as any Java program would.
 *
 * <p>Each line of stdin is an object: the path of a version, the kind of each feature (float, int or bytes), and raw
 * rows. Each line of stdout is what that version said to the rows, by both signatures, and to its warm-up requests.
 */
public final class Ask {
  private static final String WARMUP = "assets.extra/tf_serving_warmup_requests";

  public static void main(String[] arguments) throws Exception {
    System.err.println("TensorFlow " + TensorFlow.version() + " for Java " + System.getProperty("java.version"));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Gson gson = new Gson();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonObject asked = gson.fromJson(line, JsonObject.class);
      System.out.println(gson.toJson(answered(Path.of(asked.get("path").getAsString()), new Rows(asked))));
    }
  }

  private static JsonObject answered(Path version, Rows rows) throws Exception {
    JsonObject answers = new JsonObject();
    answers.addProperty("path", version.toString());
    try (SavedModelBundle model = SavedModelBundle.load(version.toString(), "serve")) {
      answers.add("features", ask(model, "features", rows.byFeature()));
      answers.add("serving_default", ask(model, "serving_default", rows.asExamples()));
      JsonArray warmup = new JsonArray();
      for (Warmup.Request request : Warmup.read(Files.readAllBytes(version.resolve(WARMUP)))) {
        JsonObject answer = new JsonObject();
        answer.addProperty("signature", request.signature());
        answer.add("outputs", ask(model, request.signature(), request.inputs()));
        warmup.add(answer);
      }
      answers.add("warmup", warmup);
    }
    return answers;
  }

  private static JsonObject ask(SavedModelBundle model, String signature, Map<String, TType> inputs) {
    JsonObject outputs = new JsonObject();
    try (var result = model.function(signature).call(Map.copyOf(inputs))) {
      result.forEach(output -> outputs.add(output.getKey(), Values.json(output.getValue())));
    } finally {
      inputs.values().forEach(TType::close);
    }
    return outputs;
  }

  private Ask() {}
}
